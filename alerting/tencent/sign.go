package tencent

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// algorithm names the signature of Tencent Cloud's version 3.
const algorithm = "TC3-HMAC-SHA256"

// sign sets the time and the Authorization of a request.
func sign(req *http.Request, service, id, key string, body []byte, at time.Time) {
	seconds, day := strconv.FormatInt(at.Unix(), 10), at.UTC().Format("2006-01-02")
	req.Header.Set("X-Tc-Timestamp", seconds)
	const signed = "content-type;host;x-tc-action"
	request := strings.Join([]string{
		req.Method, "/", "",
		"content-type:" + req.Header.Get("Content-Type") + "\nhost:" + req.Host + "\nx-tc-action:" + strings.ToLower(req.Header.Get("X-Tc-Action")) + "\n",
		signed, digest(body),
	}, "\n")
	scope := day + "/" + service + "/tc3_request"
	text := strings.Join([]string{algorithm, seconds, scope, digest([]byte(request))}, "\n")
	signature := mac(mac(mac(mac([]byte("TC3"+key), day), service), "tc3_request"), text)
	req.Header.Set("Authorization", algorithm+" Credential="+id+"/"+scope+", SignedHeaders="+signed+", Signature="+hex.EncodeToString(signature))
}

func digest(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}
