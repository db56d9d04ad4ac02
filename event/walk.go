package event

import "unicode/utf8"

// Walk reads one line of strict JSON, whatever its names mean, and calls leaf for each scalar and list with its
// dotted path and its JSON; path is valid during the call only. It takes what Decode takes as JSON: one
// object of at most MaxLine bytes, valid UTF-8, not nested deeper than sixteen times. Its errors are *DecodeErrors. It
// allocates nothing while paths are short.
func Walk(line string, leaf func(path []byte, raw string)) error {
	if len(line) > MaxLine {
		return tooLarge(line)
	}
	if !utf8.ValidString(line) {
		return &DecodeError{Offset: invalidUTF8(line), Reason: "utf8", Detail: "not valid UTF-8"}
	}
	var short [128]byte
	w := walker{scanner: scanner{s: line}, path: short[:0], leaf: leaf}
	w.space()
	if err := w.object(0); err != nil {
		return err
	}
	w.space()
	if w.i != len(line) {
		return w.fail("only one JSON object is allowed on a line")
	}
	return nil
}

type walker struct {
	scanner
	path []byte
	leaf func(path []byte, raw string)
}

func (w *walker) object(depth int) error {
	if depth > maxDepth {
		return w.fail("nested deeper than %d objects", maxDepth)
	}
	if err := w.expect('{'); err != nil {
		return err
	}
	w.space()
	if w.peek() == '}' {
		w.i++
		return nil
	}
	for {
		w.space()
		if err := w.member(depth); err != nil {
			return err
		}
		w.space()
		switch w.peek() {
		case ',':
			w.i++
		case '}':
			w.i++
			return nil
		default:
			return w.fail("found %s, expected ',' or '}'", w.found())
		}
	}
}

func (w *walker) member(depth int) error {
	key, err := w.str()
	if err != nil {
		return err
	}
	w.space()
	if err := w.expect(':'); err != nil {
		return err
	}
	w.space()
	before := len(w.path)
	if before > 0 {
		w.path = append(w.path, '.')
	}
	w.path = append(w.path, key...)
	start := w.i
	if w.peek() == '{' {
		err = w.object(depth + 1)
	} else if err = w.skip(depth); err == nil {
		w.leaf(w.path, w.s[start:w.i])
	}
	w.path = w.path[:before]
	return err
}
