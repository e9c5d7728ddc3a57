import * as z from 'zod';

/** Shell commands as they are written. */
export const script = z
  .string()
  .max(65_536, 'more than 65536 characters; put the script into the repository')
  .refine((text) => text.trim() !== '', 'is empty')
  .refine((text) => !text.includes('\0'), 'has a NUL character');
