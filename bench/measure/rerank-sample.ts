/** A small rerank call as Cohere's v2 has it, and what a target answers: ten short documents, about 600 bytes back. */

const DOCUMENTS = [
  'Carson City is the capital city of the American state of Nevada.',
  'The Commonwealth of the Northern Mariana Islands is a group of islands in the Pacific Ocean.',
  'Capitalization in English grammar is the use of a capital letter at the start of a word.',
  'Washington, D.C. is the capital of the United States, and is not part of any state.',
  'Capital punishment has existed in the United States since before it was a country.',
  'North Dakota is a state in the Midwest of the United States.',
  'Charlotte Amalie is the capital and largest city of the United States Virgin Islands.',
  'The Potomac flows through the capital, and divides it from Virginia.',
  'A capital ship is a leading one of a fleet, and its largest.',
  'Ottawa is the capital of Canada, and lies in the province of Ontario.',
];

const IDS = { id: '0b8e7d5a-1f7c-4a57-9d1f-0c3a6f2f5a10' };
const META = { meta: { api_version: { version: '2' }, billed_units: { search_units: 1 } } };

/** What is asked. */
export const RERANK_REQUEST: string = JSON.stringify({
  model: 'rerank-v3.5',
  query: 'What is the capital of the United States?',
  documents: DOCUMENTS,
  top_n: 10,
});

/** What the target answers to v2: the order, and scores. */
export const RERANK_ANSWER: string = JSON.stringify({
  ...IDS,
  results: DOCUMENTS.map((_, index) => ({ index: (index * 7) % 10, relevance_score: 1 / (index + 1.37) })),
  ...META,
});

/** Of which a Mask has something to hide: v1 repeats documents, and in each is an address. */
export const PERSONAL_ADDRESS = 'ana.analyst@example.org';
export const PERSONAL_ANSWER: string = JSON.stringify({
  ...IDS,
  results: DOCUMENTS.slice(0, 4).map((text, index) => ({
    index,
    relevance_score: 1 / (index + 1.37),
    document: { text: `${text.slice(0, 40)} Ask ${PERSONAL_ADDRESS}.` },
  })),
  ...META,
});
