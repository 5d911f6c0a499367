# Sums the lines that torture tests write to their report: per kind of object, and all together. A line is the path, then
# instructions, effective ones, kills, distinct effective instructions, those missed, hung, lost, repeated, and the worst recovery in milliseconds.
# SPDX-License-Identifier: MIT
{ path = $0; kind = $0; sub(/:.*/, "", kind)
  for (i = 9; i != 0; --i) { n[i] = $(NF - 9 + i); sub(/ +[0-9.]+$/, "", path) }
  if (!(kind in paths)) kinds[++count] = kind
  ++paths[kind]; ++paths["all"]
  for (i = 1; i <= 8; ++i) { sum[kind, i] += n[i]; sum["all", i] += n[i] }
  if (n[9] > worst[kind]) worst[kind] = n[9]
  if (n[9] > worst["all"]) { worst["all"] = n[9]; worst_path = path } }
END { kinds[++count] = "all"
      printf "\n%-24s %6s %12s %9s %6s %6s %6s %5s %5s %8s %9s\n",
          "kind", "paths", "instructions", "effective", "kills", "places", "missed", "hung", "lost", "repeated", "worst_ms"
      for (k = 1; k <= count; ++k) {
          kind = kinds[k]
          printf "%-24s %6d %12d %9d %6d %6d %6d %5d %5d %8d %9.2f\n", kind, paths[kind], sum[kind, 1], sum[kind, 2],
              sum[kind, 3], sum[kind, 4], sum[kind, 5], sum[kind, 6], sum[kind, 7], sum[kind, 8], worst[kind]
      }
      printf "worst recovery: %s\n", worst_path }
