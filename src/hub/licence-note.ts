/**
 * What Meta's licence of Llama 3.2 keeps from some: for its multimodal models only.
 *
 * @see Llama 3.2 Acceptable Use Policy, the paragraph on multimodal models
 */
const notes: Readonly<Record<string, string>> = {
  "llama3.2":
    "It gives no rights to the models that see pictures to people domiciled in the European Union, nor to companies based there.",
};

/** @param name as the repository names its licence */
export function licenceNote(name: string): string | undefined {
  return Object.hasOwn(notes, name) ? notes[name] : undefined;
}
