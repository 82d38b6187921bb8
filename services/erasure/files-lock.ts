/** The advisory lock of whoever writes files of finished datasets anew: one at a time. */
export const FILES_LOCK = 7_233_011;
