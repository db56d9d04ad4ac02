package aliyun

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// The example in Aliyun's description of the signature, version 3.
func TestSignatureOfTheProvidersExample(t *testing.T) {
	q := url.Values{"ImageId": {"win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd"}, "RegionId": {"cn-shanghai"}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://ecs.cn-shanghai.aliyuncs.com/?"+encodeQuery(q), http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"X-Acs-Action": "RunInstances", "X-Acs-Date": "2023-10-26T10:22:32Z", "X-Acs-Signature-Nonce": "3156853299f313e23d1673dc12e1703d", "X-Acs-Version": "2014-05-26",
	} {
		req.Header.Set(name, value)
	}
	sign(req, "YourAccessKeyId", "YourAccessKeySecret", nil)
	const want = "Signature=06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"
	if got := req.Header.Get("Authorization"); !strings.HasSuffix(got, want) {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestQueryIsEscapedByRFC3986(t *testing.T) {
	if got := encodeQuery(url.Values{"b": {"a b*~/"}, "a": {"告"}}); got != "a=%E5%91%8A&b=a%20b%2A~%2F" {
		t.Error(got)
	}
}
