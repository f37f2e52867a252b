/**
 * The memory that a program could get on this machine now: what the system says, within what a container
 * allows. What files are cached in counts as free, since it makes room at once.
 *
 * @see Linux kernel, Documentation/admin-guide/cgroup-v2.rst, "Memory Interface Files", and cgroup-v1/memory.rst
 */
import { readFileSync } from "node:fs";
import { freemem, totalmem } from "node:os";
import { dirname, join } from "node:path";

export type HostMemory = {
  /** The machine's, or the container's where that is less. */
  readonly totalBytes: number;
  /** What a program could get now, caches that would make room included. */
  readonly availableBytes: number;
};

/** @returns a file's text; `undefined` when it cannot be read */
export type ReadText = (path: string) => string | undefined;

/** The share of macOS's memory that a program can be given: it keeps much in caches that it does not call free. */
const MACOS_SHARE = 0.75;

export function hostMemory(): HostMemory {
  const machine = machineMemory(process.platform, readText);
  return process.platform === "linux" ? withinCgroups(machine, readText) : machine;
}

/** Without regard for containers. */
function machineMemory(platform: NodeJS.Platform, read: ReadText): HostMemory {
  const totalBytes = totalmem();
  if (platform === "darwin") {
    return { totalBytes, availableBytes: Math.max(freemem(), totalBytes * MACOS_SHARE) };
  }
  const told = platform === "linux" ? parseMemInfo(read("/proc/meminfo") ?? "") : undefined;
  return told ?? { totalBytes, availableBytes: freemem() };
}

/** @param text of `/proc/meminfo` */
export function parseMemInfo(text: string): HostMemory | undefined {
  const kilobytes = (name: string): number | undefined => {
    const [, value] = new RegExp(`^${name}: +(\\d+) kB$`, "m").exec(text) ?? [];
    return value === undefined ? undefined : Number(value) * 1_024;
  };
  const totalBytes = kilobytes("MemTotal");
  const availableBytes = kilobytes("MemAvailable");
  return totalBytes === undefined || availableBytes === undefined
    ? undefined
    : { totalBytes, availableBytes };
}

/**
 * The least of what the machine has and what each control group above this process leaves.
 *
 * In a container `/proc/self/cgroup` often names a path that only the machine itself has: then the root
 * of what is mounted is the container's own group.
 */
export function withinCgroups(machine: HostMemory, read: ReadText): HostMemory {
  const groups = [...groupsV2(read), ...groupsV1(read)];
  return groups.reduce(
    (memory, { limitBytes, usedBytes }) => ({
      totalBytes: Math.min(memory.totalBytes, limitBytes),
      availableBytes: Math.min(memory.availableBytes, Math.max(0, limitBytes - usedBytes)),
    }),
    machine,
  );
}

type Group = {
  readonly limitBytes: number;
  /** Without files' pages that would make room. */
  readonly usedBytes: number;
};

const root = "/sys/fs/cgroup";

function groupsV2(read: ReadText): Group[] {
  const [, own = "/"] = /^0::(\/.*)$/m.exec(read("/proc/self/cgroup") ?? "") ?? [];
  return ancestors(root, own).flatMap((path) => {
    const limitBytes = toLimit(read(join(path, "memory.max")));
    if (limitBytes === undefined) return [];
    const current = toNumber(read(join(path, "memory.current"))) ?? 0;
    const cached = statOf(read(join(path, "memory.stat")), ["inactive_file", "active_file"]);
    return [{ limitBytes, usedBytes: Math.max(0, current - cached) }];
  });
}

function groupsV1(read: ReadText): Group[] {
  const [, own = "/"] =
    /^\d+:(?:[^:\n]*,)?memory(?:,[^:\n]*)?:(\/.*)$/m.exec(read("/proc/self/cgroup") ?? "") ?? [];
  return ancestors(join(root, "memory"), own).flatMap((path) => {
    const limitBytes = toLimit(read(join(path, "memory.limit_in_bytes")));
    if (limitBytes === undefined) return [];
    const current = toNumber(read(join(path, "memory.usage_in_bytes"))) ?? 0;
    const names = ["total_inactive_file", "total_active_file"];
    const cached = statOf(read(join(path, "memory.stat")), names);
    return [{ limitBytes, usedBytes: Math.max(0, current - cached) }];
  });
}

/** A group's directory and those above it, up to where groups are mounted. */
function ancestors(mount: string, own: string): string[] {
  const paths: string[] = [];
  for (let at = join(mount, own); at.startsWith(mount); at = dirname(at)) paths.push(at);
  return paths;
}

/** @returns `undefined` for "max", for version 1's huge number, and for what is no limit */
function toLimit(text: string | undefined): number | undefined {
  const value = toNumber(text);
  return value === undefined || value >= 2 ** 60 ? undefined : value;
}

function toNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+\s*$/.test(text) ? Number(text) : undefined;
}

function statOf(text: string | undefined, names: readonly string[]): number {
  return names.reduce((sum, name) => {
    const [, value] = new RegExp(`^${name} (\\d+)$`, "m").exec(text ?? "") ?? [];
    return sum + Number(value ?? 0);
  }, 0);
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
