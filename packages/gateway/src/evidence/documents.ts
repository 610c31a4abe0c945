/** The texts of a package that are for people: what it shows, what it does not, how to check it. */

import { fingerprintOf } from '@countersign/ledger/evidence';

export interface DocumentFacts {
  readonly packageId: string;
  readonly origin: string;
  readonly node: string;
  readonly from: string;
  readonly to: string;
  readonly startSize: number;
  readonly endSize: number;
  readonly directory: string;
  readonly verifierKeys: readonly string[];
  readonly shredded: number;
  readonly withheldFields: readonly string[];
}

/** What files about masking say, and what they do not. */
const MASKING_LIMITS = `## What the files about masking say

They never say that personal data was not exposed.

1. **Lists with no row** (\`masking-summary.csv\`, \`pii-flows.csv\`, \`masking-blocked.csv\`) and no entry in \`masking-rules.json\` say that no Mask was in force, or that none met a value; not that there was nothing to mask.
2. **Counts are of what was masked**: values that a Mask found by their column or by their looks and that were delivered in another form. Values that no Mask was about are in no leaf. Names of people, postal addresses and health in words have no form: only a Mask on their columns knows them.
3. **Exemptions.** \`pii-flows.csv\` has, as \`exempt\`, the statements of people whom a Mask leaves out by its \`unless\`, where the gateway wrote that into the leaf. How many values they saw in the clear no leaf says.
4. **Masks of other gateways.** \`masking-rules.json\` has the changes of this log. A Mask that was changed at another gateway stands in that one's log and package; those that statements here name are in \`named_only\`.
5. **Permissive masks.** A statement that uses a masked column in a condition can ask for its value bit by bit. Where that is allowed it is in \`pii-flows.csv\` as \`predicate\`, and the value was delivered in no other way.
6. **The second scan** (\`masking-second-scan.csv\`) is made by the gateway that made this package: its word, as no leaf follows from it. It looks at recordings, with the detectors alone and without anybody's rules, statistics of columns or the masks of that time. What it finds may be what a Mask put there: \`fpe\`, \`fake\` and \`partial\` give values that look like what they stand for. What it does not find may be there: names, what is encoded, numbers in a column without a name that tells. Each session says how much of it was looked at; what was shredded, cut off or beyond the bound was not.
7. **The measure** (\`masking-effectiveness.json\`) is of labelled texts that others published, not of this installation's data. Found canaries say that the detectors ran at this export, and no more.
8. **Masks in mode \`server-role\`** are hidden by the target itself: \`server_roles\` in \`masking-rules.json\` says, with its leaves, what the gateway found of the rights of the target's role, and when. Their values are in no count. Between two looks (5 s) somebody may have given a right and taken it back.
9. **The recordings hold what was delivered**, so that they and this package show no value that a Mask hid. In sessions that a Mask reached, literals and bound values that people typed are hidden here where they may stand for a masked column or look like personal data, and sealed under a key that this package does not have; a name or an address in a statement that had to do with no masked column has no form, and stays. In all other sessions statement texts and bound values are as they were typed.
10. **Reveals.** \`reveals.csv\` lists who was about to be shown what Masks hide, and who had agreed; its leaf comes before the value, so that a row may be of something that was not shown after all. Names are compared, not people: two accounts of one person are two names.
`;

export function limitationsText(facts: DocumentFacts): string {
  const { shredded, withheldFields } = facts;
  const withheld =
    withheldFields.length === 0
      ? 'No field was withheld.'
      : `These fields were withheld by who made the package: ${withheldFields.join(', ')}.`;
  return `# What this package does not show

Read this before anything else. Package ${facts.packageId}, log ${facts.origin}, ${facts.from} to ${facts.to}.

## What it shows

That the leaves ${facts.startSize} to ${facts.endSize} (exclusive) of the log are complete, in order and unchanged since their checkpoint was signed; that each disclosed body is the one its leaf committed to when it was written; that the populations follow from them. The verifier computes all of it again.

It evidences, under ISO/IEC 27001:2022: logging (8.15), and from the same records authentication (8.5), access to the connections of this gateway (5.15, 8.3), administrative changes (5.18, 8.2, 8.9), uses of break-glass with their reviews (8.2), changes of data, schema, grants and settings with what approved them (8.32), and where Masks were in force, what they masked and stopped (8.11, and of 5.34 and 8.12 the part that this is). All other controls are **not covered** by this package. Whether a control is met is the auditor's judgement, not this package's.

## What it does not show

1. **Traffic that did not pass the gateway.** A log cannot show what it never saw. That nobody reached a target by another way needs network control, and a comparison with the target's own log or counters; neither is in this package.
2. **The key.** Who forged the package could have put their own key into it. Compare the fingerprint in VERIFY.md with one that you received by another way. Without that, the result is consistency, not origin.
3. **A thief of the signing key.** No witness has cosigned and no timestamp authority has anchored these checkpoints. Who holds the signing key and the log's disks can write another history from any point on, and nothing in this package would show it. Copies of earlier checkpoints or packages, kept elsewhere, would.
4. **The clock.** Times are those of the gateway's system clock. They never go back within the log; that they are right is not shown. A step back is a \`clock.step\` leaf.
5. **The end of the period.** What the log held at its last checkpoint is complete. That nothing happened between the last leaf and the end of the period is a claim, unless a leaf after the period is in the range; the verifier says which.
6. **Signatures of people.** An approval is the gateway's word that somebody who had logged in gave it: \`signature_kind\` of every vote is \`none\`. \`approvals.csv\` lists each request with its votes; where several gateways share holds, a vote that was given at another one stands in that one's log and package. \`breakglass.csv\` lists what somebody opened in an emergency without an approval; such a change is in \`changes-unapproved.csv\` too, as \`break-glass\`. \`breakglass-unreviewed.csv\` has those that nobody has looked at, also where a review stands in another gateway's log. That somebody was told is the word of this log; that they read it is not shown.
7. **Policy on statements.** Statements are read, and blocked or held, only in sessions that a rule or the \`may\` of an Access resource reaches. Of all others \`changes.csv\` knows what the target's command tags say: a function in a SELECT, CREATE TABLE AS and COPY from a file of the server are not in it, and what is in it is in \`changes-unapproved.csv\` too, as \`unruled\`. Statement texts and bound values may contain personal data, also where Masks reached the session: handle the package accordingly.
8. **Results.** The package has the number of rows and bytes of each result and the SHA-256 of what was delivered, not the rows. They are in the recordings, which this package does not include.
9. **Provisioning.** Logins show who authenticated (8.5). Who was entitled, and why, needs the records of joiners, movers and leavers (5.16, 5.18), of which the gateway has the administrative changes only.
10. **Vulnerabilities.** Nothing here is evidence for 8.8.
11. **Requests over HTTP.** \`http-requests.csv\` lists each request, with digests of what was sent and delivered; \`changes.csv\` those that may have changed something, with what approved them. What they carried is in recordings only, and in no scan of this package. What a request does is read by tables of known services: one that nobody knows has the effect \`unknown\`.
12. **Rerank calls.** \`rerank-requests.csv\` lists each, with order and scores as the service gave them; a cell shows fifty of a list, the leaf up to 2,048, and counts the rest. Queries and documents are keyed hashes: which text one stands for, only the gateway's key and the text together tell. \`unread\` says that a request or an answer could not be read; its content is in the recording. Which model answered is what the request asks for or the service says about itself. Lineage finds a document by its whole text alone, for 15 minutes, and only where the connection that gave it asks for that: a document without it may have come from anywhere. Calls that a store or a database makes by itself are not seen, nor those over a connection with \`dialect: http\`, which looks at no content.
13. **Models.** \`model-probes.csv\` lists each look of the gateway at the model behind a connection that has \`probes\`; a connection without them is in no row, and a model that changed there is not seen. What a service says of itself, it says itself: one that lies says the same as before. The fixed question is public: a service can know it and answer it with the old model. A change between two looks that was taken back is not seen, nor another one within 15 minutes of a change that people had agreed to, nor whether the model that came is the one that they had agreed to. \`status\` \`unknown\` says that nobody was answered: a model was not looked at then.

${MASKING_LIMITS}
## What is missing on purpose

- Bodies that cannot be read because the key of their scope was destroyed: ${shredded}. Their leaves stay, and their rows say \`shredded\`. That a body was shredded, and not held back, is a claim of who made the package; a \`ledger.shred\` leaf says who asked for it.
- ${withheld}
`;
}

/** Commands that were tried: see the test of this room. */
export function verifyText(facts: DocumentFacts): string {
  const keys = facts.verifierKeys
    .map((key) => `    ${key}\n    fingerprint ${fingerprintOf(key)}\n`)
    .join('');
  return `# How to check this package

Package ${facts.packageId}, log ${facts.origin}, ${facts.from} to ${facts.to}.

## First: whose key

    ${facts.origin}

${keys}
Ask the operator for the fingerprint by another way than the one on which this package came: by telephone, from their published policy, from an earlier audit. The fingerprint is the SHA-256 of the key's line:

    printf '%s' "$(tail -n 1 data/ledger/${facts.node}/vkeys.txt)" | sha256sum

## With our tools

    countersign-verify --vkey '<the key that you received>' PACKAGE.zip

or open \`data/verify.html\` in a browser, from disk, without a network, and drop the zip on it. A verifier that came inside the zip proves nothing against who forged the zip: take it from the project, or use what follows.

## With tools that we did not write

Below, in the directory ${facts.directory}/.

**Every file is the one that was packed** (coreutils):

    sha256sum --check --quiet manifest-sha256.txt
    sha256sum --check --quiet tagmanifest-sha256.txt

**The package and the checkpoint are signed by the key** (openssl 3, Ed25519):

    vkey=$(tail -n 1 data/ledger/${facts.node}/vkeys.txt)
    (printf '\\060\\052\\060\\005\\006\\003\\053\\145\\160\\003\\041\\000'; printf '%s' "$vkey" | sed 's/^[^+]*+[^+]*+//' | base64 -d | tail -c 32) > /tmp/key.der
    for note in SIGNATURE.note data/ledger/${facts.node}/checkpoint; do
      sed '/^$/,$d' "$note" > /tmp/text
      sed -n 's/^— [^ ]* //p' "$note" | base64 -d | tail -c 64 > /tmp/signature
      openssl pkeyutl -verify -pubin -keyform DER -inkey /tmp/key.der -rawin -in /tmp/text -sigfile /tmp/signature
    done

Where the log had more than one key, take the line of vkeys.txt whose eight hex digits the signature begins with.

**The signature names these manifests**: the line \`tagmanifest-sha256\` of SIGNATURE.note is what \`sha256sum tagmanifest-sha256.txt\` prints. The line \`packed-sha256\` is over how the files lie in the zip: hand on the zip as it came, because one that was packed again is refused.

**The log is one append-only tree** (Go, golang.org/x/mod/sumdb/note and tlog): \`data/ledger/${facts.node}/\` has a \`checkpoint\` and all tiles and entry bundles in the layout of https://c2sp.org/tlog-tiles. The program test/conformance/go/verify-log.go of the project's sources is about 200 lines over those packages; Debian has them in golang-golang-x-mod-dev:

    GO111MODULE=off GOPATH=/usr/share/gocode go run verify-log.go data/ledger/${facts.node} "$vkey"

**The leaves of the period are those of the tree**: the lines of leaves.jsonl are, byte for byte, the entries ${facts.startSize} to ${facts.endSize} (exclusive) of the bundles.

What each file is, and what a verifier checks, is spec/evidence.md of the project; what the package does not show is limitations.md.
`;
}
