package protocol

// taking is what every decoder knows of the payload that it reads: it goes over the fields once for each that was sent,
// and once more for those that must be there.
type taking struct {
	from  Side
	path  string // of the payload
	taken bool   // what was sent is a field
	last  bool   // over: only what is missing is looked for
	seen  uint64 // fields, by number
	err   error
}

func (d *taking) at(f field) string { return d.path + "." + f.name }

// takes says whether a field is to be read: it is the one that was sent. needed says whether it must be.
func (d *taking) takes(f field, sent, needed bool) bool {
	switch {
	case d.err != nil:
		return false
	case d.last:
		if needed && d.seen&(1<<f.num) == 0 {
			d.err = fault(CodeMissingField, d.at(f), "missing")
		}
		return false
	case !sent:
		return false
	}
	d.taken = true
	d.seen |= 1 << f.num
	return true
}

// unknown says whether what was sent is no field, from a side that must know them.
func (d *taking) unknown() bool { return !d.taken && d.err == nil && d.from == FromClient }

// end looks for what is missing, by the decoder that this is a part of, and for what no field says by itself.
func (d *taking) end(p Payload, decoder coder) error {
	d.last = true
	if p.walk(decoder); d.err != nil {
		return d.err
	}
	return p.check()
}
