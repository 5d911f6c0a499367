// The last include of every public header: other libraries get the macros back that detail/header_begin.hpp has put aside.
// Read once for each public header, so without #pragma once.
// SPDX-License-Identifier: MIT

#pragma pop_macro("Always")
#pragma pop_macro("Bool")
#pragma pop_macro("False")
#pragma pop_macro("None")
#pragma pop_macro("Status")
#pragma pop_macro("Success")
#pragma pop_macro("True")
#pragma pop_macro("emit")
#pragma pop_macro("foreach")
#pragma pop_macro("forever")
#pragma pop_macro("signals")
#pragma pop_macro("slots")
#pragma pop_macro("major")
#pragma pop_macro("makedev")
#pragma pop_macro("minor")
#pragma pop_macro("max")
#pragma pop_macro("min")
