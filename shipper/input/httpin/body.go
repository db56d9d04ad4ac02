package httpin

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"

	"imwatch/shipper/input"
)

// refusal is why a request is not taken.
type refusal struct {
	status int
	why    string
}

func (r *refusal) Error() string { return r.why }

// body reads what was posted, and unpacks it. Room for it is taken from the server's before it is used; taken says how
// much, to be given back in any case.
func (s *Server) body(w http.ResponseWriter, r *http.Request) (data []byte, taken int, err error) {
	var src io.Reader = http.MaxBytesReader(w, r.Body, int64(s.cfg.MaxBody))
	switch encoding := strings.ToLower(r.Header.Get("Content-Encoding")); encoding {
	case "", "identity":
	case "gzip", "x-gzip":
		z, err := gzip.NewReader(src)
		if err != nil {
			return nil, 0, s.unreadable(err)
		}
		src = z
	default:
		return nil, 0, &refusal{http.StatusUnsupportedMediaType, "Content-Encoding is " + encoding + ", allowed are gzip and identity"}
	}
	for {
		if len(data) == cap(data) {
			n := min(max(minRoom, cap(data)), s.cfg.MaxBody+1-cap(data))
			if n <= 0 {
				return nil, taken, s.unreadable(&http.MaxBytesError{Limit: int64(s.cfg.MaxBody)})
			}
			if !s.reserve(n) {
				return nil, taken, &refusal{http.StatusTooManyRequests, "too many requests wait for their acknowledgement"}
			}
			taken += n
			data = append(make([]byte, 0, cap(data)+n), data...)
		}
		n, err := src.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		switch {
		case errors.Is(err, io.EOF) && len(data) <= s.cfg.MaxBody:
			return data, taken, nil
		case errors.Is(err, io.EOF):
			return nil, taken, s.unreadable(&http.MaxBytesError{Limit: int64(s.cfg.MaxBody)})
		case err != nil:
			return nil, taken, s.unreadable(err)
		}
	}
}

// minRoom is what a request takes at least.
const minRoom = 16 << 10

func (s *Server) unreadable(err error) error {
	if large, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return &refusal{http.StatusRequestEntityTooLarge, "the body is too large; allowed are " + count(int(large.Limit)) + " bytes, unpacked: send it in parts"}
	}
	return &refusal{http.StatusBadRequest, "the body cannot be read: " + err.Error()}
}

// split takes a body apart into lines. The last may lack its newline.
func split(body string) []input.Line {
	var lines []input.Line
	for at := int64(0); body != ""; {
		line, rest, _ := strings.Cut(body, "\n")
		lines = input.Append(lines, line, at)
		at, body = at+int64(len(body)-len(rest)), rest
	}
	return lines
}
