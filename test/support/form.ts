/** A form with one file, as clients send it: for tests that inject. */
export function toForm(
  fields: Readonly<Record<string, string>>,
  file: string | Buffer,
): { readonly headers: { readonly "content-type": string }; readonly payload: Buffer } {
  const boundary = "form-of-a-test";
  const parts = Object.entries(fields).map(
    ([name, value]) =>
      `--${boundary}\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
  );
  const head = `--${boundary}\r\ncontent-disposition: form-data; name="file"; filename="a.bin"\r\ncontent-type: application/octet-stream\r\n\r\n`;
  return {
    headers: { "content-type": `multipart/form-data; boundary=${boundary}` },
    payload: Buffer.concat([
      Buffer.from(parts.join("") + head),
      Buffer.from(file),
      Buffer.from(`\r\n--${boundary}--\r\n`),
    ]),
  };
}
