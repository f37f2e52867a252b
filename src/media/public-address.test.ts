import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isPublicAddress } from "./public-address.ts";

/** The first and the last address of every special-purpose block, and what clouds answer on. */
const special = [
  ["0.0.0.0", "0.255.255.255"],
  ["10.0.0.0", "10.255.255.255"],
  ["100.64.0.0", "100.127.255.255", "100.100.100.200"],
  ["127.0.0.0", "127.0.0.1", "127.255.255.255"],
  ["169.254.0.0", "169.254.169.254", "169.254.255.255"],
  ["172.16.0.0", "172.31.255.255"],
  ["192.0.0.0", "192.0.0.192", "192.0.0.255"],
  ["192.0.2.0", "192.0.2.255"],
  ["192.31.196.1", "192.52.193.1", "192.88.99.1", "192.175.48.1"],
  ["192.168.0.0", "192.168.255.255"],
  ["198.18.0.0", "198.19.255.255"],
  ["198.51.100.1", "203.0.113.1"],
  ["224.0.0.1", "239.255.255.255"],
  ["240.0.0.1", "255.255.255.255"],
  ["168.63.129.16"],
  ["::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::8.8.8.8"],
  ["64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1"],
  ["100::1", "100:0:0:1::1", "5f00::1"],
  ["2001::1", "2001:2::1", "2001:10::1", "2001:1ff:ffff::1", "2001:db8::1"],
  ["2002:7f00:1::", "2002:808:808::1"],
  ["2620:4f:8000::1", "3fff::1", "3fff:fff:ffff::1"],
  ["2606:4700::5efe:7f00:1", "2606:4700::200:5efe:a00:1"],
  ["fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "4000::1"],
].flat();

describe("an address is refused (SS-06)", () => {
  test.each(special)("%s", (address) => {
    expect(isPublicAddress(address)).toBe(false);
  });

  test.each(["", "localhost", "1.2.3.4.5", "[::1]", "8.8.8.8/8", "::ffff"])(
    "that is none: %j",
    (text) => {
      expect(isPublicAddress(text)).toBe(false);
    },
  );
});

test.each([
  "1.1.1.1",
  "8.8.8.8",
  "9.255.255.255",
  "11.0.0.0",
  "100.63.255.255",
  "100.128.0.0",
  "172.15.255.255",
  "172.32.0.0",
  "168.63.129.17",
  "223.255.255.255",
  "2001:200::1",
  "2606:4700:4700::1111",
  "2a00:1450:4001::1",
  "64:ff9b::808:808",
  "2606:4700::5efe:808:808",
])("%s is public", (address) => {
  expect(isPublicAddress(address)).toBe(true);
});

test("no spelling of a mapped IPv4 address is public", () => {
  fc.assert(
    fc.property(fc.ipV4(), (address) => {
      expect(isPublicAddress(`::ffff:${address}`)).toBe(false);
      expect(isPublicAddress(`::${address}`)).toBe(false);
    }),
  );
});

test("a translated IPv4 address is as public as it is alone", () => {
  fc.assert(
    fc.property(fc.ipV4(), (address) => {
      expect(isPublicAddress(`64:ff9b::${address}`)).toBe(isPublicAddress(address));
    }),
  );
});
