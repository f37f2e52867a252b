import { expect, test } from "vitest";
import { isPrivateHost, isPublicAddress } from "./public-address.ts";

test.each(["93.184.215.14", "1.1.1.1", "2606:4700::1111"])("%s is public", (address) => {
  expect(isPublicAddress(address)).toBe(true);
});

test.each([
  "127.0.0.1",
  "0.0.0.0",
  "10.1.2.3",
  "172.16.0.1",
  "192.168.1.1",
  "169.254.169.254",
  "100.64.0.1",
  "224.0.0.1",
  "255.255.255.255",
  "::1",
  "::",
  "fe80::1",
  "fc00::1",
  "::ffff:127.0.0.1",
  "::ffff:10.0.0.1",
  "64:ff9b::7f00:1",
  "2002:7f00:1::",
  "ff02::1",
  "no address",
])("%s is not (DL-06)", (address) => {
  expect(isPublicAddress(address)).toBe(false);
});

test("a name is judged by what it stands for", async () => {
  expect(await isPrivateHost(new URL("http://localhost/"))).toBe(true);
  expect(await isPrivateHost(new URL("http://2130706433/"))).toBe(true);
  expect(await isPrivateHost(new URL("http://[::1]/"))).toBe(true);
});
