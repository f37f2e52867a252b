import type { Brand } from "./brand.ts";

/** A row of the vocabulary. */
export type TokenId = Brand<number, "TokenId">;
export const tokenId = (row: number): TokenId => row as TokenId;

/** A fixed-size piece of the KV cache. */
export type BlockId = Brand<number, "BlockId">;
export const blockId = (index: number): BlockId => index as BlockId;

/** The name a launched model answers to. */
export type ModelUid = Brand<string, "ModelUid">;
export const modelUid = (name: string): ModelUid => name as ModelUid;
