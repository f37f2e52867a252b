import { ApiError } from "@atalaya/client";
import { CommanderError } from "commander";
import { expect, test } from "vitest";
import { PlatformError } from "../base/errors.ts";
import { CommandFailure, describeFailure } from "./exit-code.ts";

test.each([
  { error: new PlatformError("address_in_use", "Taken."), exitCode: 73, sentence: "Taken." },
  {
    error: new ApiError("Gone.", { status: 404, code: "model_not_found" }),
    exitCode: 66,
    sentence: "Gone.",
  },
  {
    error: new ApiError("No server answers at x.", { status: 0, code: "unreachable" }),
    exitCode: 69,
    sentence: "No server answers at x. Start one with: atalaya serve",
  },
  {
    error: new CommandFailure(1, new PlatformError("address_in_use", "Taken.")),
    exitCode: 1,
    sentence: "Taken.",
  },
  {
    error: new CommandFailure(1, new PlatformError("cancelled", "Stopped.")),
    exitCode: 130,
    sentence: undefined,
  },
  { error: new PlatformError("cancelled", "Stopped."), exitCode: 130, sentence: undefined },
  { error: new CommanderError(0, "commander.version", ""), exitCode: 0, sentence: undefined },
  { error: new CommanderError(1, "commander.unknownOption", ""), exitCode: 2, sentence: undefined },
])("$error.name $error.code ends with $exitCode", ({ error, exitCode, sentence }) => {
  expect(describeFailure(error)).toEqual({ exitCode, sentence });
});

test("a bug says so", () => {
  expect(describeFailure(new TypeError("x is undefined"))).toMatchObject({ exitCode: 70 });
});
