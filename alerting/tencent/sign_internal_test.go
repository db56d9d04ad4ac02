package tencent

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// The example in Tencent Cloud's description of the signature, version 3, with its digests of the body and of the
// request. Its keys are masked there, so the signature itself is one that other implementations give for these keys.
func TestSignatureOfTheProvidersExample(t *testing.T) {
	body := []byte(`{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}`)
	if got := digest(body); got != "35e9c5b0e3ae67532d3c9f17ead6c90222632e5b1ff7f6e89887f1398934f064" {
		t.Errorf("body: %s", got)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://cvm.tencentcloudapi.com/", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	req.Header.Set("X-Tc-Action", "DescribeInstances")
	sign(req, "cvm", "AKIDEXAMPLE", "EXAMPLEKEY", body, time.Unix(1551113065, 0))
	const want = "TC3-HMAC-SHA256 Credential=AKIDEXAMPLE/2019-02-25/cvm/tc3_request, SignedHeaders=content-type;host;x-tc-action, Signature="
	got := req.Header.Get("Authorization")
	if !strings.HasPrefix(got, want) {
		t.Errorf("%s, want %s…", got, want)
	}
	if signature := got[len(got)-64:]; signature != "47806232d1609361bab703f0f171e49f2b129e34b0206c55e04b575763eb21ab" {
		t.Errorf("signature %s", signature)
	}
}
