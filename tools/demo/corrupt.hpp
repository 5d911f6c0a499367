// What the tests have spoilt on the receiver's side, one thing at a time, to see that each verdict of the demo can fail.
// SPDX-License-Identifier: MIT
#pragma once

namespace demo {

enum class Corrupt {
    nothing,
    stream,      // one bit of what was received, before anything is judged
    comparison,  // the same bit, but only where the bytes are compared with the files
    checksum,    // the same bit, but only where the check sum is made
    tree,        // one bit of a rebuilt file
};

}  // namespace demo
