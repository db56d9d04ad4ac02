package aliyun

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// algorithm names the signature of Aliyun's version 3.
const algorithm = "ACS3-HMAC-SHA256"

// sign sets the Authorization of a request whose other headers are complete.
func sign(req *http.Request, id, secret string, body []byte) {
	hash := sha256.Sum256(body)
	req.Header.Set("X-Acs-Content-Sha256", hex.EncodeToString(hash[:]))
	headers := map[string]string{"host": req.Host}
	for name, values := range req.Header {
		if lower := strings.ToLower(name); lower == "content-type" || strings.HasPrefix(lower, "x-acs-") {
			headers[lower] = strings.TrimSpace(strings.Join(values, ","))
		}
	}
	names := slices.Sorted(maps.Keys(headers))
	var canonical strings.Builder
	for _, name := range names {
		canonical.WriteString(name + ":" + headers[name] + "\n")
	}
	signed := strings.Join(names, ";")
	request := strings.Join([]string{
		req.Method, "/", encodeQuery(req.URL.Query()), canonical.String(), signed, hex.EncodeToString(hash[:]),
	}, "\n")
	digest := sha256.Sum256([]byte(request))
	h := hmac.New(sha256.New, []byte(secret))
	h.Write([]byte(algorithm + "\n" + hex.EncodeToString(digest[:])))
	req.Header.Set("Authorization", algorithm+" Credential="+id+",SignedHeaders="+signed+",Signature="+hex.EncodeToString(h.Sum(nil)))
}

// encodeQuery writes a query in order of its names and escaped by RFC 3986, as it is signed and as it is sent.
func encodeQuery(q url.Values) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(q)) {
		for _, v := range q[name] {
			parts = append(parts, escape(name)+"="+escape(v))
		}
	}
	return strings.Join(parts, "&")
}

// escape leaves letters, digits and -_.~ as they are.
func escape(s string) string {
	return strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
}
