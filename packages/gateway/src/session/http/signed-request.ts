/**
 * A request that is signed with AWS Signature Version 4: whose it is, and whether it is what was signed.
 *
 * Pipeline: authenticate. Spec: spec/http.md §12. Every request is checked by itself, also in a session that is open.
 * The same request may come again while its date is good, as at AWS: TLS keeps it from others, what is signed of it
 * cannot be changed, and what people approved is used once whoever sends it.
 */

import { createHash } from 'node:crypto';
import { CountersignError } from '../../core/errors.ts';
import type { HttpFields } from '../../core/http-message.ts';
import type { TokenId } from '../../core/ids.ts';
import { SIGV4_LIMITS as LIMITS } from '../../core/sigv4-limits.ts';
import type { ReadHead } from '../../protocols/http/request-head.ts';
import {
  readSignature,
  type RequestSignature,
  signedFields,
  timeProblem,
  UNSIGNED,
} from '../../protocols/http/sigv4/read-signature.ts';
import { isSignedBy } from '../../protocols/http/sigv4/signature.ts';
import type { ContentShare } from './content-budget.ts';
import { checkDeclaredLength, type HeldContent, holdContent } from './held-content.ts';
import type { ClientRequest, HttpAdmission, HttpPeer, HttpPorts } from './http-ports.ts';

/** One whose signature was checked. */
export interface SignedRequest {
  readonly tokenId: TokenId;
  readonly accessKeyId: string;
  readonly region: string;
  readonly service: string;
  /** Of the content, where that was not read for the signature; undefined where nothing is left to be checked. */
  readonly contentSha256: string | undefined;
  /** Where the signature could be checked only with it. */
  readonly content: HeldContent | undefined;
  /** Without what says how it was signed. */
  readonly query: string;
  /** What of the fields was signed, or does not matter. */
  readonly fields: HttpFields;
}

/** What a connection's target is signed for; a client signs for the same. */
export type SignedFor = Pick<SignedRequest, 'region' | 'service'>;

const SHA256_OF_NOTHING = createHash('sha256').digest('hex');

/**
 * Whose request it is. Throws SIGNATURE_MALFORMED, SIGNATURE_REFUSED for what is wrong whoever it is of, and
 * AUTHENTICATION_FAILED, which has its leaf.
 *
 * @param contentLength as its head says
 */
export async function checkSignature(
  ports: HttpPorts,
  unproven: UnprovenContents,
  request: ClientRequest,
  read: ReadHead,
  contentLength: number | 'chunked' | 'none',
  peer: HttpPeer,
): Promise<SignedRequest> {
  const signature = readSigned(request, read);
  const problem = timeProblem(signature, ports.clock.nowUs() / 1_000);
  if (problem !== undefined) throw signatureRefused(problem);
  if (signature.contentSha256 === UNSIGNED && request.peer.tls === 'none') {
    throw signatureRefused('its content is not signed (UNSIGNED-PAYLOAD), and it did not come over TLS');
  }
  const content = await contentFor(ports, unproven, signature, request, contentLength);
  try {
    const { accessKeyId, scope, parts } = signature;
    const contentSha256 = signature.contentSha256 ?? content?.sha256 ?? SHA256_OF_NOTHING;
    const tokenId = await ports.signature(
      { accessKeyId, isSignedBy: (secret) => isSignedBy(secret, signature, { ...parts, contentSha256 }) },
      peer,
    );
    return {
      tokenId,
      accessKeyId,
      region: scope.region,
      service: scope.service,
      contentSha256: signature.contentSha256 === UNSIGNED ? undefined : contentSha256,
      content,
      query: signature.query,
      fields: signedFields(read.fields, signature),
    };
  } catch (error) {
    content?.release();
    throw error;
  }
}

/** Throws SIGNATURE_REFUSED where it was signed for something else, or has no content where one was signed. */
export function checkSignedFor(
  { connection, signedFor }: HttpAdmission,
  signed: SignedRequest | undefined,
  contentLength: number | 'chunked' | 'none',
): void {
  if (signed === undefined) return;
  if (signedFor === undefined) {
    const shown = 'show a token as "Authorization: Bearer TOKEN"';
    throw signatureRefused(`connection "${connection}" takes no signatures; ${shown}`);
  }
  const { region, service } = signedFor;
  if (region !== signed.region || service !== signed.service) {
    throw signatureRefused(`connection "${connection}" is signed for as ${region}/${service}/aws4_request`);
  }
  if (contentLength === 'none') checkSignedContent(signed, SHA256_OF_NOTHING);
}

/** Throws SIGNATURE_REFUSED where another content was signed. */
export function checkSignedContent(
  signed: Pick<SignedRequest, 'contentSha256'> | undefined,
  sha256: string,
): void {
  if (signed?.contentSha256 === undefined || signed.contentSha256 === sha256) return;
  throw signatureRefused('its content is not the one that was signed');
}

/** Whoever was unknown is known: what they hold is theirs now. Throws what {@link ContentShare.take} does. */
export function moveContent(content: HeldContent, share: ContentShare): HeldContent {
  const { bytes, sha256 } = content;
  share.take(bytes.length);
  content.release();
  let held = bytes.length;
  return {
    bytes,
    sha256,
    release: () => {
      share.give(held);
      held = 0;
    },
  };
}

/** Contents that were read before anybody knew whose they are. Owned by the gate. */
export class UnprovenContents {
  #bytes = 0;
  readonly #perKey = new Map<string, number>();

  get bytes(): number {
    return this.#bytes;
  }

  shareOf(accessKeyId: string): ContentShare {
    return {
      take: (bytes) => this.#take(accessKeyId, bytes),
      give: (bytes) => this.#add(accessKeyId, -bytes),
    };
  }

  #take(accessKeyId: string, bytes: number): void {
    const own = this.#perKey.get(accessKeyId) ?? 0;
    refuse('this access key', own, LIMITS.unprovenKeyBytesMax, bytes);
    refuse('requests whose signature is not checked yet', this.#bytes, LIMITS.unprovenTotalBytesMax, bytes);
    this.#add(accessKeyId, bytes);
  }

  #add(accessKeyId: string, bytes: number): void {
    this.#bytes += bytes;
    const left = (this.#perKey.get(accessKeyId) ?? 0) + bytes;
    if (left === 0) this.#perKey.delete(accessKeyId);
    else this.#perKey.set(accessKeyId, left);
  }
}

function refuse(whose: string, held: number, allowed: number, needed: number): void {
  if (held + needed > allowed) {
    throw new CountersignError('HTTP_CONTENT_SHARE', { whose, held, allowed, needed });
  }
}

function readSigned(request: ClientRequest, read: ReadHead): RequestSignature {
  const { method, authority, fields } = read;
  const result = readSignature({
    method,
    target: request.head.target,
    authority,
    version: request.version,
    fields,
  });
  switch (result.kind) {
    case 'signature':
      return result;
    case 'malformed':
      throw new CountersignError('SIGNATURE_MALFORMED', { reason: result.reason });
    case 'refused':
      throw signatureRefused(result.reason);
    default:
      return result satisfies never;
  }
}

/** A signature that says nothing of the content is about the content: then that comes first, of a key that there is. */
async function contentFor(
  ports: HttpPorts,
  unproven: UnprovenContents,
  { accessKeyId, contentSha256 }: RequestSignature,
  request: ClientRequest,
  contentLength: number | 'chunked' | 'none',
): Promise<HeldContent | undefined> {
  if (contentSha256 !== undefined || contentLength === 'none') return undefined;
  if (!(await ports.hasPair(accessKeyId))) return undefined;
  checkDeclaredLength(contentLength);
  request.sayContinue?.();
  return holdContent(request.content, unproven.shareOf(accessKeyId));
}

function signatureRefused(reason: string): CountersignError {
  return new CountersignError('SIGNATURE_REFUSED', { reason });
}
