declare const brand: unique symbol;

/** A `Base` that no other `Base` can stand in for. Erased at run time. */
export type Brand<Base, Name extends string> = Base & { readonly [brand]: Name };
