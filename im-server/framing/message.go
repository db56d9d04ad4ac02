package framing

import "unicode/utf8"

// data takes a frame of a message, and gives the message when that is its last.
func (r *Reader) data(h *header, l Limits) (got Received, ready bool, err error) {
	switch {
	case h.op == Continuation && r.op == 0:
		return got, false, broken("a continuation of nothing")
	case h.op != Continuation && r.op != 0:
		return got, false, broken("a message within another")
	case h.op != Continuation:
		r.op, r.packed, r.frames, r.wire, r.checked = h.op, h.packed, 0, 0, 0
	}
	r.frames++
	r.skip = h.length // as long as it is not taken
	if h.length > int64(l.Bytes-r.wire) {
		return got, false, tooBig(KindSize, "a message of more than %d bytes", l.Bytes)
	}
	if r.frames > l.Frames {
		return got, false, tooBig(KindFragments, "a message in more than %d frames", l.Frames)
	}
	r.wire += int(h.length)
	if r.frames == 1 && h.fin && !r.packed && h.length <= int64(r.w-r.r) {
		got, err = r.short(h)
		return got, err == nil, err
	}
	if err := r.take(h); err != nil {
		return got, false, err
	}
	if !h.fin {
		return Received{Op: Continuation}, h.length == 0, nil
	}
	got, err = r.whole(l)
	return got, err == nil, err
}

// short gives a message that is in the read buffer whole: most are.
func (r *Reader) short(h *header) (Received, error) {
	n := int(h.length)
	got := Received{Op: r.op, Data: r.buf[r.r : r.r+n : r.r+n], Wire: n}
	r.r += n
	r.skip, r.op, r.begun = 0, 0, false
	unmask(h.mask, 0, got.Data)
	if got.Op == Text && !utf8.Valid(got.Data) {
		return got, badText("a text message")
	}
	return got, nil
}

// take adds a frame's payload to the message. Memory is taken as bytes come, not as a header announces them.
func (r *Reader) take(h *header) error {
	if r.msg == nil {
		r.msg = r.pool.buffer()
	}
	for r.skip > 0 {
		at := len(r.msg.b)
		if err := r.more(); err != nil {
			return err
		}
		fresh := r.msg.b[at:]
		unmask(h.mask, h.length-r.skip, fresh)
		r.skip -= int64(len(fresh))
		if r.op == Text && !r.packed && !r.valid() {
			return badText("a text message")
		}
	}
	return nil
}

// more adds some of the payload that is being read to the message, masked as it is.
func (r *Reader) more() error {
	if r.r == r.w && r.skip < int64(len(r.buf)) {
		if err := r.fill(1); err != nil {
			return err
		}
	}
	if r.r < r.w {
		n := int(min(r.skip, int64(r.w-r.r)))
		r.msg.b = append(r.msg.b, r.buf[r.r:r.r+n]...)
		r.r += n
		return nil
	}
	room := r.msg.room(r.skip)
	n, err := r.src.Read(room)
	r.msg.b = r.msg.b[:len(r.msg.b)+n]
	if n == 0 && err != nil {
		return r.failed(err)
	}
	return nil
}

// valid says whether what has come of a text can be one.
func (r *Reader) valid() bool {
	fresh := r.msg.b[r.checked:]
	whole := len(fresh)
	for i := 1; i <= min(utf8.UTFMax-1, len(fresh)); i++ { // the last rune may not be whole
		if last := fresh[len(fresh)-i:]; utf8.RuneStart(last[0]) {
			if !utf8.FullRune(last) {
				whole -= i
			}
			break
		}
	}
	r.checked += whole
	return utf8.Valid(fresh[:whole])
}

// whole gives the message that is complete.
func (r *Reader) whole(l Limits) (Received, error) {
	got := Received{Op: r.op, Wire: r.wire}
	r.given = r.msg
	r.msg, r.op, r.begun = nil, 0, false
	if got.Packed = r.packed; r.packed {
		plain := r.pool.buffer()
		bad := r.pool.unpack(plain, r.given, l.Bytes)
		r.release()
		r.given = plain
		if bad != nil {
			return got, bad
		}
	}
	got.Data = r.given.b
	if got.Op != Text || !r.packed && r.checked == len(got.Data) {
		return got, nil
	}
	if !r.packed || !utf8.Valid(got.Data) {
		return got, badText("a text message")
	}
	return got, nil
}
