export const server: string = "only here to be imported";
