import { expect, test } from "vitest";
import { hostMemory, parseMemInfo, type ReadText, withinCgroups } from "./host-memory.ts";

const GiB = 2 ** 30;
const machine = { totalBytes: 64 * GiB, availableBytes: 48 * GiB };
const reading =
  (files: Readonly<Record<string, string>>): ReadText =>
  (path) =>
    files[path];

test("free memory is what the kernel calls available", () => {
  const text =
    "MemTotal:       32847216 kB\nMemFree:          812340 kB\nMemAvailable:   21034560 kB\n";
  expect(parseMemInfo(text)).toEqual({
    totalBytes: 32_847_216 * 1_024,
    availableBytes: 21_034_560 * 1_024,
  });
  expect(parseMemInfo("MemTotal: 1 kB\n")).toBeUndefined();
});

test("without a limit it is the machine's", () => {
  expect(withinCgroups(machine, reading({}))).toEqual(machine);
  const max = {
    "/proc/self/cgroup": "0::/user.slice\n",
    "/sys/fs/cgroup/user.slice/memory.max": "max\n",
  };
  expect(withinCgroups(machine, reading(max))).toEqual(machine);
});

test("a container's limit counts, and its cached files make room", () => {
  const files = {
    "/proc/self/cgroup": "0::/\n",
    "/sys/fs/cgroup/memory.max": `${16 * GiB}\n`,
    "/sys/fs/cgroup/memory.current": `${14 * GiB}\n`,
    "/sys/fs/cgroup/memory.stat": `anon ${2 * GiB}\ninactive_file ${8 * GiB}\nactive_file ${4 * GiB}\n`,
  };
  expect(withinCgroups(machine, reading(files))).toEqual({
    totalBytes: 16 * GiB,
    availableBytes: 14 * GiB,
  });
});

test("the tightest group above this process counts, wherever it is", () => {
  const files = {
    "/proc/self/cgroup": "0::/a/b/c\n",
    "/sys/fs/cgroup/a/memory.max": `${8 * GiB}\n`,
    "/sys/fs/cgroup/a/memory.current": `${7 * GiB}\n`,
    "/sys/fs/cgroup/a/b/memory.max": `${32 * GiB}\n`,
    "/sys/fs/cgroup/a/b/memory.current": "0\n",
  };
  expect(withinCgroups(machine, reading(files))).toEqual({
    totalBytes: 8 * GiB,
    availableBytes: GiB,
  });
});

test("version 1 has other names, and a huge number for none", () => {
  const path = "/sys/fs/cgroup/memory/docker/0123";
  const files = {
    "/proc/self/cgroup": "12:cpu,cpuacct:/docker/0123\n4:memory:/docker/0123\n",
    [`${path}/memory.limit_in_bytes`]: `${4 * GiB}\n`,
    [`${path}/memory.usage_in_bytes`]: `${3 * GiB}\n`,
    [`${path}/memory.stat`]: `total_inactive_file ${GiB}\ntotal_active_file ${GiB}\n`,
    "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
  };
  expect(withinCgroups(machine, reading(files))).toEqual({
    totalBytes: 4 * GiB,
    availableBytes: 3 * GiB,
  });
});

test("this machine has some", () => {
  const { totalBytes, availableBytes } = hostMemory();
  expect(availableBytes).toBeGreaterThan(1e7);
  expect(availableBytes).toBeLessThanOrEqual(totalBytes);
});
