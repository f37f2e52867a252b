/**
 * A plugin of protoc: what Python's protobuf needs of a .proto file, as a Python module.
 *
 * Classes that protoc itself generates for Python want a runtime of their own version or newer; what is
 * built from the descriptor runs with any, also the old one that a frozen engine brings.
 */
import { buffer } from "node:stream/consumers";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  CodeGeneratorRequestSchema,
  CodeGeneratorResponse_FileSchema,
  CodeGeneratorResponseSchema,
  FileDescriptorProtoSchema,
} from "@bufbuild/protobuf/wkt";

const LINE_LENGTH = 88;

const request = fromBinary(CodeGeneratorRequestSchema, await buffer(process.stdin));
const files = request.protoFile.flatMap((file) => {
  if (!request.fileToGenerate.includes(file.name)) return [];
  const { sourceCodeInfo: _, ...bare } = file;
  const bytes = toBinary(FileDescriptorProtoSchema, create(FileDescriptorProtoSchema, bare));
  const lines = Buffer.from(bytes)
    .toString("base64")
    .match(new RegExp(`.{1,${LINE_LENGTH}}`, "g"));
  const content = [
    `"""Made from ${file.name} by \`npm run protocol\`: its FileDescriptorProto, serialized."""`,
    "",
    "DESCRIPTOR = (",
    ...(lines ?? []).map((line) => `    "${line}"`),
    ")",
    "",
  ].join("\n");
  const name = file.name.replace(/\.proto$/, "_descriptor.py");
  return [create(CodeGeneratorResponse_FileSchema, { name, content })];
});
// 1: fields may be `optional`.
const response = create(CodeGeneratorResponseSchema, { file: files, supportedFeatures: 1n });
process.stdout.write(toBinary(CodeGeneratorResponseSchema, response));
