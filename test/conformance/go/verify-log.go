// Verifies a Countersign log with the Go checksum database's own packages.
//
//	GO111MODULE=off GOPATH=/usr/share/gocode go run verify-log.go DIRECTORY VKEY
//
// The directory holds `checkpoint` and `tile/…`, as a node serves them and as an evidence package carries
// them under data/ledger/. Nothing here was written for Countersign but the mapping of tile paths: C2SP
// says tile/L/NNN where golang.org/x/mod/sumdb/tlog says tile/8/L/NNN.
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

type tileReader struct{ directory string }

func (r tileReader) Height() int { return height }

func (r tileReader) SaveTiles(tiles []tlog.Tile, data [][]byte) {}

func (r tileReader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, len(tiles))
	for i, tile := range tiles {
		content, err := os.ReadFile(filepath.Join(r.directory, c2spPath(tile)))
		if err != nil {
			return nil, err
		}
		data[i] = content
	}
	return data, nil
}

func c2spPath(tile tlog.Tile) string {
	path := strings.TrimPrefix(tile.Path(), fmt.Sprintf("tile/%d/", height))
	return "tile/" + strings.Replace(path, "data/", "entries/", 1)
}

func main() {
	if len(os.Args) != 3 {
		fail("usage: verify-log DIRECTORY VKEY")
	}
	directory := os.Args[1]
	tree := openCheckpoint(directory, os.Args[2])
	hashes := hashBundles(directory, tree.N)
	root, err := tlog.TreeHash(tree.N, hashes)
	check(err)
	if root != tree.Hash {
		fail("the entries do not have the checkpoint's root")
	}
	checkTiles(directory, tree.N, hashes)
	checkProofs(tree, tlog.TileHashReader(tree, tileReader{directory}), hashes)
	fmt.Printf("ok: %d leaves\n", tree.N)
}

func openCheckpoint(directory string, vkey string) tlog.Tree {
	verifier, err := note.NewVerifier(vkey)
	check(err)
	message, err := os.ReadFile(filepath.Join(directory, "checkpoint"))
	check(err)
	opened, err := note.Open(message, note.VerifierList(verifier))
	check(err)
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 || lines[0] != verifier.Name() {
		fail("the checkpoint's origin is not the key's name")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	check(err)
	root, err := base64.StdEncoding.DecodeString(lines[2])
	check(err)
	tree := tlog.Tree{N: size}
	if copy(tree.Hash[:], root) != tlog.HashSize || len(root) != tlog.HashSize {
		fail("the checkpoint's root is not 32 bytes")
	}
	return tree
}

// storedHashes are all nodes of the tree, computed from the entries alone.
type storedHashes []tlog.Hash

func (s storedHashes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		if index < 0 || index >= int64(len(s)) {
			return nil, fmt.Errorf("no hash %d", index)
		}
		hashes[i] = s[index]
	}
	return hashes, nil
}

// hashBundles hashes every entry of every bundle.
func hashBundles(directory string, size int64) storedHashes {
	const width = 1 << height
	var stored storedHashes
	for first := int64(0); first < size; first += width {
		count := atMost(width, size-first)
		tile := tlog.Tile{H: height, L: -1, N: first / width, W: int(count)}
		bundle, err := os.ReadFile(filepath.Join(directory, c2spPath(tile)))
		check(err)
		for i := int64(0); i < count; i++ {
			if len(bundle) < 2 || len(bundle) < 2+int(binary.BigEndian.Uint16(bundle)) {
				fail(fmt.Sprintf("bundle %d ends in entry %d", tile.N, i))
			}
			end := 2 + int(binary.BigEndian.Uint16(bundle))
			hashes, err := tlog.StoredHashes(first+i, bundle[2:end], stored)
			check(err)
			stored = append(stored, hashes...)
			bundle = bundle[end:]
		}
		if len(bundle) != 0 {
			fail(fmt.Sprintf("bundle %d has %d bytes left over", tile.N, len(bundle)))
		}
	}
	return stored
}

// checkTiles compares every tile with the one that the entries give. The tile reader of tlog does not
// authenticate every tile that it reads in each version that distributions ship, so it is not relied on.
func checkTiles(directory string, size int64, hashes storedHashes) {
	for _, tile := range tilesOf(size) {
		want, err := tlog.ReadTileData(tile, hashes)
		check(err)
		got, err := os.ReadFile(filepath.Join(directory, c2spPath(tile)))
		check(err)
		if !bytes.Equal(got, want) {
			fail(c2spPath(tile) + " is not the one that the entries give")
		}
	}
}

// tilesOf are the tiles of a tree of this size: at each level, full ones and at most one that is not.
func tilesOf(size int64) []tlog.Tile {
	const width = 1 << height
	var tiles []tlog.Tile
	for level, hashes := 0, size; hashes > 0; level, hashes = level+1, hashes/width {
		for first := int64(0); first < hashes; first += width {
			count := int(atMost(width, hashes-first))
			tiles = append(tiles, tlog.Tile{H: height, L: level, N: first / width, W: count})
		}
	}
	return tiles
}

// checkProofs proves records and older trees out of the tiles, and checks each proof.
func checkProofs(tree tlog.Tree, reader tlog.HashReader, hashes storedHashes) {
	for _, n := range samples(tree.N) {
		record, err := tlog.ProveRecord(tree.N, n, reader)
		check(err)
		check(tlog.CheckRecord(record, tree.N, tree.Hash, n, hashes[tlog.StoredHashIndex(0, n)]))

		older, err := tlog.TreeHash(n+1, hashes)
		check(err)
		proof, err := tlog.ProveTree(tree.N, n+1, reader)
		check(err)
		check(tlog.CheckTree(proof, tree.N, tree.Hash, n+1, older))
	}
}

// samples are the ends, the neighbours of powers of two, and a hundred in between.
func samples(size int64) []int64 {
	var chosen []int64
	add := func(n int64) {
		if n >= 0 && n < size {
			chosen = append(chosen, n)
		}
	}
	for power := int64(1); power <= 2*size; power *= 2 {
		add(power - 2)
		add(power - 1)
		add(power)
	}
	for i := int64(0); i < 100; i++ {
		add(i * size / 100)
	}
	add(size - 1)
	return chosen
}

// atMost is the smaller; the builtin is younger than the Go of some distributions.
func atMost(a int64, b int64) int64 {
	if a < b {
		return a
	}
	return b
}

func check(err error) {
	if err != nil {
		fail(err.Error())
	}
}

func fail(reason string) {
	fmt.Fprintln(os.Stderr, "verify-log: "+reason)
	os.Exit(1)
}
