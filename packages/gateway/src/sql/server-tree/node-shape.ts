/**
 * The names of a node's fields, in order, which nodes of a kind share.
 *
 * Shapes are a tree, as the hidden classes of JavaScript engines are: a tag is a root, and a field's name leads
 * from one shape to the next. So a name is made once, comparing it with what is expected is cheap, and what is
 * known of a shape is known of all nodes that have it.
 */

/** A tag and the fields so far. */
export class NodeShape {
  readonly tag: string;
  /** The shape without the last field. */
  readonly before: NodeShape | undefined;
  /** The last field's name; empty for a word that stands without one. */
  readonly name: string;
  /** The way that was taken last. */
  expected = '';
  #expectedShape: NodeShape | undefined;
  #others: Map<string, NodeShape> | undefined;
  #names: readonly string[] | undefined;
  #indexes: Map<string, number> | undefined;

  constructor(tag: string, before?: NodeShape, name = '') {
    this.tag = tag;
    this.before = before;
    this.name = name;
  }

  /** The shape with {@link expected}. */
  get expectedShape(): NodeShape | undefined {
    return this.#expectedShape;
  }

  get names(): readonly string[] {
    this.#names ??= namesOf(this);
    return this.#names;
  }

  /** Where a field stands; undefined where there is none. The first one counts. */
  indexOf(name: string): number | undefined {
    this.#indexes ??= new Map(
      this.names.map((known, index): [string, number] => [known, index]).toReversed(),
    );
    return this.#indexes.get(name);
  }

  /** The shape with one more field, if it is known; it is expected then. */
  find(name: string): NodeShape | undefined {
    if (this.#expectedShape !== undefined && this.expected === name) return this.#expectedShape;
    const found = this.#others?.get(name);
    if (found !== undefined) {
      this.expected = name;
      this.#expectedShape = found;
    }
    return found;
  }

  /** The shape with one more field, which is remembered. */
  add(name: string): NodeShape {
    const shape = new NodeShape(this.tag, this, name);
    this.#others ??= new Map();
    this.#others.set(name, shape);
    this.expected = name;
    this.#expectedShape = shape;
    return shape;
  }
}

function namesOf(last: NodeShape): readonly string[] {
  const names: string[] = [];
  for (let shape = last; shape.before !== undefined; shape = shape.before) names.push(shape.name);
  return names.toReversed();
}

/** All shapes that were met, up to a bound: then nodes of new shapes share them no more. */
export class NodeShapes {
  readonly #max: number;
  readonly #byTag = new Map<string, NodeShape>();
  #count = 0;

  constructor(max: number) {
    this.#max = max;
  }

  ofTag(tag: string): NodeShape {
    const known = this.#byTag.get(tag);
    if (known !== undefined) return known;
    if (!this.#mayLearn()) return new NodeShape(tag);
    const own = copyOf(tag);
    const shape = new NodeShape(own);
    this.#byTag.set(own, shape);
    return shape;
  }

  with(shape: NodeShape, name: string): NodeShape {
    const known = shape.find(name);
    if (known !== undefined) return known;
    return this.#mayLearn() ? shape.add(copyOf(name)) : new NodeShape(shape.tag, shape, name);
  }

  #mayLearn(): boolean {
    if (this.#count === this.#max) return false;
    this.#count += 1;
    return true;
  }
}

/** A part of a text keeps the whole text in memory: what is remembered is a string of its own. */
function copyOf(part: string): string {
  return Buffer.from(part, 'latin1').toString('latin1');
}
