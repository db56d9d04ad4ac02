package robot

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What the clouds ask for.
const (
	AliyunID     = "LTAI0123456789"
	AliyunSecret = "aliyun-secret-0123456789"
	TencentID    = "AKID0123456789"
	TencentKey   = "tencent-key-0123456789"
)

// AliyunURL is the address of Aliyun's services, SMS and voice.
func (r *Robot) AliyunURL() string { return r.base + "/aliyun" }

// TencentURL is the address of Tencent Cloud's services, SMS and voice.
func (r *Robot) TencentURL() string { return r.base + "/tencent" }

func sum(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

func keyed(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// authorization splits "ALGORITHM Name=value, Name=value".
func authorization(q *http.Request) map[string]string {
	out := map[string]string{}
	_, rest, _ := strings.Cut(q.Header.Get("Authorization"), " ")
	for part := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		out[name] = value
	}
	return out
}

func headers(q *http.Request, names string) string {
	var b strings.Builder
	for name := range strings.SplitSeq(names, ";") {
		value := q.Header.Get(name)
		if name == "host" {
			value = q.Host
		}
		if name == "x-tc-action" {
			value = strings.ToLower(value)
		}
		b.WriteString(name + ":" + value + "\n")
	}
	return b.String()
}

func aliyunCode(status int, name, words string) Answer {
	body, _ := json.Marshal(map[string]string{"Code": name, "Message": words, "RequestId": "F655A8D5"})
	return Answer{Status: status, Body: string(body)}
}

// aliyun checks the signature of a call from what came over the line, and takes SMS and calls.
func (r *Robot) aliyun(q *http.Request, m *Message) Answer {
	auth := authorization(q)
	at, err := time.Parse("2006-01-02T15:04:05Z", q.Header.Get("X-Acs-Date"))
	if err != nil || r.skewed(at.Unix(), m.At, 15*time.Minute) {
		return aliyunCode(http.StatusBadRequest, "InvalidTimeStamp.Expired", "Specified time stamp or date value is expired.")
	}
	signed := strings.Split(auth["SignedHeaders"], ";")
	for _, must := range []string{"host", "x-acs-action", "x-acs-content-sha256", "x-acs-date", "x-acs-signature-nonce", "x-acs-version"} {
		if !slices.Contains(signed, must) {
			return aliyunCode(http.StatusBadRequest, "IncompleteSignature", must+" is not signed")
		}
	}
	query := strings.Split(q.URL.RawQuery, "&")
	slices.Sort(query)
	request := strings.Join([]string{"POST", "/", strings.Join(query, "&"), headers(q, auth["SignedHeaders"]), auth["SignedHeaders"], sum(m.Body)}, "\n")
	want := hex.EncodeToString(keyed([]byte(AliyunSecret), "ACS3-HMAC-SHA256\n"+sum([]byte(request))))
	if auth["Credential"] != AliyunID || auth["Signature"] != want || q.Header.Get("X-Acs-Content-Sha256") != sum(m.Body) {
		return aliyunCode(http.StatusBadRequest, "SignatureDoesNotMatch", "Specified signature is not matched with our calculation.")
	}
	nonce := q.Header.Get("X-Acs-Signature-Nonce")
	if nonce == "" || r.nonces[nonce] {
		return aliyunCode(http.StatusBadRequest, "SignatureNonceUsed", "Specified signature nonce was used already.")
	}
	r.nonces[nonce] = true
	v := q.URL.Query()
	var params string
	switch q.Header.Get("X-Acs-Action") {
	case "SendSms":
		m.To, params = v.Get("PhoneNumbers"), v.Get("TemplateParam")
		if v.Get("SignName") == "" || v.Get("TemplateCode") == "" {
			return aliyunCode(0, "isv.SMS_TEMPLATE_ILLEGAL", "template")
		}
	case "SingleCallByTts":
		m.To, params = v.Get("CalledNumber"), v.Get("TtsParam")
	default:
		return aliyunCode(http.StatusNotFound, "InvalidAction.NotFound", "action")
	}
	m.Text = params
	if bad := badNumber(m.To); bad || params != "" && !json.Valid([]byte(params)) {
		return aliyunCode(0, "isv.MOBILE_NUMBER_ILLEGAL", "number")
	}
	a := aliyunCode(0, "OK", "OK")
	a.Accept = true
	return a
}

func badNumber(s string) bool { return s == "" || strings.Trim(s, "0123456789") != "" }

func tencentError(name, words string) Answer {
	body, _ := json.Marshal(map[string]any{"Response": map[string]any{"Error": map[string]string{"Code": name, "Message": words}, "RequestId": "ed93f3cb"}})
	return Answer{Body: string(body)}
}

// tencent checks the signature of a call from what came over the line, and takes SMS and calls.
func (r *Robot) tencent(q *http.Request, m *Message) Answer {
	auth := authorization(q)
	seconds, err := strconv.ParseInt(q.Header.Get("X-Tc-Timestamp"), 10, 64)
	if err != nil || r.skewed(seconds, m.At, 5*time.Minute) {
		return tencentError("AuthFailure.SignatureExpire", "The provided credentials have expired.")
	}
	service := map[string]string{"SendSms": "sms", "SendTtsVoice": "vms"}[q.Header.Get("X-Tc-Action")]
	day := time.Unix(seconds, 0).UTC().Format("2006-01-02")
	scope := day + "/" + service + "/tc3_request"
	request := strings.Join([]string{"POST", "/", "", headers(q, auth["SignedHeaders"]), auth["SignedHeaders"], sum(m.Body)}, "\n")
	text := strings.Join([]string{"TC3-HMAC-SHA256", q.Header.Get("X-Tc-Timestamp"), scope, sum([]byte(request))}, "\n")
	key := keyed(keyed(keyed([]byte("TC3"+TencentKey), day), service), "tc3_request")
	if auth["Credential"] != TencentID+"/"+scope || auth["Signature"] != hex.EncodeToString(keyed(key, text)) {
		return tencentError("AuthFailure.SignatureFailure", "The provided credentials could not be validated.")
	}
	var body struct {
		PhoneNumberSet           []string
		CalledNumber, TemplateID string
		TemplateParamSet         []string
	}
	if json.Unmarshal(m.Body, &body) != nil || body.TemplateID == "" {
		return tencentError("InvalidParameter", "body")
	}
	m.Text = strings.Join(body.TemplateParamSet, " ")
	if service == "vms" {
		m.To = body.CalledNumber
		return Answer{Body: `{"Response":{"SendStatus":{"CallId":"12582bce","SessionContext":""},"RequestId":"91260bb8"}}`, Accept: true}
	}
	m.To = strings.Join(body.PhoneNumberSet, ",")
	return Answer{Body: `{"Response":{"SendStatusSet":[{"SerialNo":"5000:1","PhoneNumber":` + strconv.Quote(m.To) + `,"Fee":1,"Code":"Ok","Message":"send success"}],"RequestId":"a0aabda6"}}`, Accept: true}
}
