/** What a response queue says of a message from the client, and what it knows of a COPY FROM STDIN. */

/** `discard`: the server would ignore it (or is known to), so it must not be forwarded. */
export type PushAdvice = 'forward' | 'discard';

/** `wait`: only the server's answers can tell; ask again after the next `accept`. */
export type CopyAdvice = 'forward' | 'discard' | 'wait';

/** `in`: the server reads COPY data. `ended`: CopyDone or CopyFail was sent, the answer is not there. */
export type CopyState = 'none' | 'in' | 'ended';
