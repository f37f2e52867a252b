/** Variables that a child may see, beside those that its starter names. */
const allowedVariables =
  /^(PATH|HOME|LANG|LC_.*|TZ|TMPDIR|TEMP|TMP|SystemRoot|(CUDA|HIP|ROCR|NVIDIA)_VISIBLE_DEVICES|CUDA_DEVICE_ORDER|GGML_.*)$/;

/** @param also further names that this child may see */
export function allowedEnvironment(also: RegExp = /(?!)/): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) =>
      value !== undefined && (allowedVariables.test(name) || also.test(name))
        ? [[name, value]]
        : [],
    ),
  );
}
