/** Levels of brackets that JSON may have; nothing that the API takes has a tenth of them. */
const MOST_LEVELS = 64;
const [QUOTE, BACKSLASH, OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = ['"', '\\', '[', ']', '{', '}'].map(
  (one) => one.charCodeAt(0),
);

/** Whether JSON is nested so deeply that whatever walks through it might run out of stack. */
export function isTooDeep(json: Uint8Array): boolean {
  let level = 0;
  let isText = false;
  for (let at = 0; at < json.length; at++) {
    const byte = json[at];
    if (isText) {
      if (byte === BACKSLASH) at++;
      else if (byte === QUOTE) isText = false;
    } else if (byte === QUOTE) isText = true;
    else if (byte === OPEN_LIST || byte === OPEN_OBJECT) {
      if (++level > MOST_LEVELS) return true;
    } else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) level--;
  }
  return false;
}

/** For `express.json`. @throws Error of the type `entity.too.deep` */
export function refuseDeep(_request: unknown, _response: unknown, body: Uint8Array): void {
  if (isTooDeep(body)) throw Object.assign(new Error('too deep'), { type: 'entity.too.deep' });
}
