package syslog

import (
	"bytes"
	"errors"
	"fmt"
)

// errFrame says that a stream is not framed as syslog is: nothing tells where its next message begins.
var errFrame = errors.New("no syslog frame")

// framer finds the messages of a stream. It reads both framings of RFC 6587, told by the first byte: a length and a
// space in front of the message (octet counting), and a newline, or a byte 0, behind it.
type framer struct {
	most int  // a message that is longer is cut
	skip int  // what is left of a counted one that was cut
	line bool // what is left of one that ends with its line
}

// next gives the message that data begins with, and how many bytes of data are done with. Both are none while more
// data is needed; without a message, what is done with was none. cut says that the message was longer.
func (f *framer) next(data []byte) (msg []byte, n int, cut bool, err error) {
	switch {
	case len(data) == 0:
		return nil, 0, false, nil
	case f.skip > 0:
		n = min(f.skip, len(data))
		f.skip -= n
		return nil, n, false, nil
	case f.line:
		n = bytes.IndexAny(data, ends) + 1
		f.line = n == 0
		if f.line {
			n = len(data)
		}
		return nil, n, false, nil
	case data[0] >= '1' && data[0] <= '9':
		return f.counted(data)
	}
	end := bytes.IndexAny(data[:min(len(data), f.most+1)], ends)
	switch {
	case end >= 0:
		return data[:end], end + 1, false, nil
	case len(data) > f.most:
		f.line = true
		return data[:f.most], f.most, true, nil
	}
	return nil, 0, false, nil
}

// ends are what a message ends with that has no length in front.
const ends = "\n\x00"

// maxDigits bounds the declared length: more than any message has.
const maxDigits = 9

func (f *framer) counted(data []byte) (msg []byte, n int, cut bool, err error) {
	length, i := 0, 0
	for ; i < len(data) && data[i] >= '0' && data[i] <= '9'; i++ {
		if i == maxDigits {
			return nil, 0, false, fmt.Errorf("%w: a length of more than %d digits", errFrame, maxDigits)
		}
		length = 10*length + int(data[i]-'0')
	}
	switch {
	case i == len(data):
		return nil, 0, false, nil
	case data[i] != ' ':
		return nil, 0, false, fmt.Errorf("%w: a length is followed by byte %#02x, not by a space", errFrame, data[i])
	}
	body := data[i+1:]
	switch {
	case length <= f.most && len(body) >= length:
		return body[:length], i + 1 + length, false, nil
	case length > f.most && len(body) >= f.most:
		f.skip = length - f.most
		return body[:f.most], i + 1 + f.most, true, nil
	}
	return nil, 0, false, nil
}
