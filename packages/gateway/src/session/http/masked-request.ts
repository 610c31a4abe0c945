/**
 * Masks on a request: what the target gets of its query, fields and content, and what is shown and recorded of it.
 *
 * Pipeline: between understand and decide. Spec: spec/masking.md, section 18.1. The whole content is there before it
 * is masked, because what cannot be masked must not have reached the target in part. Policy decides on what came; what
 * is forwarded has to be the same request to it.
 */

import { createHash } from 'node:crypto';
import { setImmediate as otherWork } from 'node:timers/promises';
import { CountersignError } from '../../core/errors.ts';
import { MASKED_REQUEST_LIMITS as LIMITS } from '../../core/http-body-limits.ts';
import { HTTP_LIMITS } from '../../core/http-limits.ts';
import type { HttpFields, HttpRequestHead } from '../../core/http-message.ts';
import type { BodyValue } from '../../core/ledger-port.ts';
import type { RerankCall } from '../../core/rerank.ts';
import { type BodyFormat, bodyFormatOf } from '../../masking/bodies/body-format.ts';
import { type BodyTools, bodyTools } from '../../masking/bodies/body-leaves.ts';
import { type BodyMasker, bodyMasker } from '../../masking/bodies/body-masker.ts';
import { type BodyPlan, bodyPlanOf } from '../../masking/bodies/body-plan.ts';
import { HeadMasker } from '../../masking/bodies/head-masker.ts';
import { isWithheld } from '../../masking/bodies/withheld.ts';
import type { MaskingKeyRing } from '../../masking/operators/key-ring.ts';
import type {
  ContentMasks,
  RequestMasks,
  RerankSafeMasks,
  SessionMasks,
} from '../../masking/plan/session-masks.ts';
import { valueOf } from '../../protocols/http/fields.ts';
import { parseJson } from '../../protocols/http/json/parse-json.ts';
import { withoutContentFields } from './answer-change.ts';
import type { ContentShare } from './content-budget.ts';
import type { JudgedRequest } from './decide-request.ts';
import { pseudonymousCall, RerankSafeCall } from './rerank-safe-request.ts';
import { OperationMasking } from '../postgres/masked/operation-masking.ts';

/** What JSON may be sent as: in a text its escapes are letters, and would hide what they stand for. */
const UNSTRUCTURED: ReadonlySet<BodyFormat> = new Set<BodyFormat>(['text', 'form', 'csv', 'event-stream']);

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

export interface ForwardedContent {
  readonly bytes: Uint8Array;
  readonly sha256: string;
}

/** Owned by one request. */
export class RequestMasking {
  readonly #connection: string;
  readonly #masks: RequestMasks;
  readonly #plan: BodyPlan;
  readonly #tools: BodyTools;
  readonly #operation = new OperationMasking();
  readonly #headMasker: HeadMasker;
  readonly #budget: ContentShare;
  /** What it holds of the memory that requests have together. */
  #heldBytes = 0;
  #forwarded: ForwardedContent | undefined;
  #call: RerankSafeCall | undefined;

  constructor(connection: string, masks: RequestMasks, keys: MaskingKeyRing, budget: ContentShare) {
    this.#budget = budget;
    this.#connection = connection;
    this.#masks = masks;
    this.#plan = bodyPlanOf(masks);
    this.#tools = bodyTools(keys, this.#operation.counts, masks.rules);
    this.#headMasker = new HeadMasker(this.#plan, this.#tools);
  }

  /** The content as it is forwarded; undefined where there is none, or it was not masked. */
  get content(): ForwardedContent | undefined {
    return this.#forwarded;
  }

  /** What is forwarded and shown of a head. Of the path it is only shown. */
  head(head: HttpRequestHead): HttpRequestHead {
    return {
      method: head.method,
      path: this.#headMasker.path(head.path),
      query: this.#headMasker.query(head.query),
      fields: this.#headMasker.fields(withoutContentFields(head.fields)),
    };
  }

  /** A text about the request, such as a name that stands in it. */
  text(text: string): string {
    return this.#headMasker.text(text);
  }

  /** The same decision, for people: a cause may name what the request is about. */
  shown(judged: JudgedRequest): JudgedRequest {
    const { decision } = judged;
    const causes = decision.causes.map((cause) => ({ ...cause, what: this.text(cause.what) }));
    return { ...judged, decision: { ...decision, causes } };
  }

  /**
   * Masks the content, which stays as it is for whoever holds it. Rejects with MASK_REQUEST_REFUSED, with
   * LIMIT_EXCEEDED where masked it is too long, and with HTTP_CONTENT_SHARE.
   *
   * @param shown the head that {@link head} gave for this one
   * @param decoded undefined where there is no content
   * @param call where it is one of a reranker
   */
  async mask(
    head: HttpRequestHead,
    shown: HttpRequestHead,
    decoded: Uint8Array | undefined,
    call: RerankCall | undefined,
  ): Promise<void> {
    if (shown.path !== head.path) throw this.#refused('its path has a value that may not leave');
    if (decoded === undefined || decoded.length === 0) return;
    if (valueOf(head.fields, 'content-range') !== undefined) throw this.#refused('its content is a part');
    const pseudonymous = pseudonymousCall(call);
    const { rerankSafe } = this.#masks;
    const format = this.#formatOf(head.fields, decoded);
    const bytes =
      rerankSafe === undefined || pseudonymous === undefined
        ? await this.#through(decoded, () => bodyMasker(format, this.#plan, this.#tools))
        : await this.#pseudonymous(rerankSafe, pseudonymous, decoded);
    this.#forwarded = { bytes, sha256: createHash('sha256').update(bytes).digest('hex') };
  }

  /** Gives its share of the memory back; more than once does nothing. */
  release(): void {
    this.#budget.give(this.#heldBytes);
    this.#heldBytes = 0;
  }

  /** Throws MASK_REQUEST_REFUSED where others reach the request by now: people may have been asked meanwhile. */
  checkStill({ requests }: SessionMasks): void {
    if (requests !== this.#masks && namesOf(requests) !== namesOf(this.#masks)) {
      throw changedMeanwhile(this.#connection);
    }
  }

  /** It would be another request to policy than the one that was decided on. */
  another(): CountersignError {
    return this.#refused('masked it would be another request');
  }

  /** Fields of the intent. */
  body(): Record<string, BodyValue> {
    return { ...this.forwarded(), ...this.#operation.body() };
  }

  /** What the target gets. */
  forwarded(): Record<string, BodyValue> {
    if (this.#forwarded === undefined) return {};
    return { forwarded_bytes: this.#forwarded.bytes.length, forwarded_sha256: this.#forwarded.sha256 };
  }

  /** Of the answer to a call that went under pseudonyms, for who may see what they stand for. */
  get restoring(): (() => BodyMasker) | undefined {
    const call = this.#call;
    return call === undefined ? undefined : () => call.restoring();
  }

  #formatOf(fields: HttpFields, decoded: Uint8Array): BodyFormat {
    const said = bodyFormatOf(valueOf(fields, 'content-type'));
    // Many servers do not look at the type, and policy does not either.
    const isUnstructured = said !== undefined && UNSTRUCTURED.has(said);
    const isJson = isUnstructured && parseJson(decoded).kind === 'json';
    if (isUnstructured && !isJson && mayHideInEscapes(decoded)) {
      throw this.#refused('it may be JSON to somebody, and is none');
    }
    const format = isJson ? 'json' : said;
    if (format === undefined) throw this.#refused('nobody can look into a content of its type');
    return format;
  }

  async #pseudonymous(masks: RerankSafeMasks, call: RerankCall, decoded: Uint8Array): Promise<Uint8Array> {
    const made = new RerankSafeCall(this.#connection, this.#masks, masks, call, this.#tools);
    const masked = await this.#through(decoded, () => made.masker());
    // All of it is looked through before anything is replaced, and stays as it is.
    await this.#pushed(
      masked,
      () => made.finding(),
      () => undefined,
    );
    made.count(this.#operation.counts);
    if (!made.isNeeded) return masked;
    this.#take(made.bytes);
    this.#call = made;
    const replaced = await this.#through(masked, () => made.replacing());
    this.#budget.give(masked.length);
    this.#heldBytes -= masked.length;
    return replaced;
  }

  async #through(bytes: Uint8Array, make: () => BodyMasker): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    let length = 0;
    await this.#pushed(bytes, make, (part) => {
      length += part.length;
      checkLength(length);
      this.#take(part.length);
      parts.push(part);
    });
    return Buffer.concat(parts, length);
  }

  async #pushed(bytes: Uint8Array, make: () => BodyMasker, give: (part: Uint8Array) => void): Promise<void> {
    try {
      const masker = make();
      for (let from = 0; from < bytes.length; from += LIMITS.turnBytes) {
        for (const part of masker.push(bytes.subarray(from, from + LIMITS.turnBytes))) give(part);
        // oxlint-disable-next-line no-await-in-loop -- Other sessions have their turn in between.
        if (from + LIMITS.turnBytes < bytes.length) await otherWork();
      }
      for (const part of masker.finish()) give(part);
    } catch (error) {
      if (!(error instanceof CountersignError) || !isWithheld(error)) throw error;
      const { format, reason } = error.details;
      throw this.#refused(`it cannot be read as ${String(format)} (${String(reason)})`, error);
    }
  }

  #take(bytes: number): void {
    this.#budget.take(bytes);
    this.#heldBytes += bytes;
  }

  #refused(reason: string, cause?: unknown): CountersignError {
    return refused(this.#connection, reason, cause);
  }
}

/** Behind one of these any letter may stand, or a slash. */
const ESCAPE = /\\(?:u[0-9A-Fa-f]{4}|\/)/;
/** A line that begins as JSON with strings in it, behind a byte order mark. */
const LIKE_JSON = /^(?:\xef\xbb\xbf)?\s*[[{"]/m;

/**
 * Whether a reader that is less strict, about a byte order mark, several values, a comma too many or NaN, would take
 * strings with escapes out of what is no JSON.
 */
function mayHideInEscapes(bytes: Uint8Array): boolean {
  if (!bytes.includes(BACKSLASH) || !bytes.includes(QUOTE)) return false;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
  return ESCAPE.test(text) && LIKE_JSON.test(text);
}

function refused(connection: string, reason: string, cause?: unknown): CountersignError {
  return new CountersignError('MASK_REQUEST_REFUSED', { connection, reason }, { cause });
}

function changedMeanwhile(connection: string): CountersignError {
  return refused(connection, 'its Masks have changed meanwhile');
}

/** What is forwarded may be as long as what is held: a pseudonym is longer than a digit. */
function checkLength(actual: number): void {
  const allowed = HTTP_LIMITS.heldContentBytesMax;
  if (actual > allowed)
    throw new CountersignError('LIMIT_EXCEEDED', { limit: 'http.heldContentBytesMax', allowed, actual });
}

/** Undefined where no Mask reaches what is sent. */
export async function requestMasking(
  connection: string,
  { requests }: SessionMasks,
  keys: () => Promise<MaskingKeyRing>,
  budget: ContentShare,
): Promise<RequestMasking | undefined> {
  return isEmpty(requests) ? undefined : new RequestMasking(connection, requests, await keys(), budget);
}

/** Throws MASK_REQUEST_REFUSED where some reach by now a request that none had reached. */
export function checkNoneYet(connection: string, { requests }: SessionMasks): void {
  if (!isEmpty(requests)) throw changedMeanwhile(connection);
}

function isEmpty({ fields, detecting }: ContentMasks): boolean {
  return fields.length === 0 && detecting.length === 0;
}

/** What decides of a value: the Masks, and what Detectors find. */
function namesOf({ fields, detecting, detectors }: ContentMasks): string {
  return JSON.stringify([[...fields, ...detecting].map(({ mask, version }) => [mask, version]), detectors]);
}
