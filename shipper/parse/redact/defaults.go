package redact

import (
	"regexp"
	"strings"
)

// names are what values are called that the contract allows in no event, without case, dashes and underscores.
func names() []string {
	return []string{
		"token", "accesstoken", "refreshtoken", "idtoken", "authtoken", "usertoken", "imtoken", "devicetoken", "pushtoken", "jwt", "ticket",
		"password", "passwd", "pwd", "passphrase", "secret", "clientsecret", "appsecret", "privatekey", "apikey", "accesskey", "secretkey", "credential", "credentials",
		"authorization", "proxyauthorization", "cookie", "setcookie", "xapikey", "sessionkey",
		"phone", "phonenumber", "mobile", "mobilephone", "mobilenumber", "telephone", "msisdn",
		"body", "msgbody", "messagebody", "content", "msgcontent", "messagecontent", "payload", "plaintext",
	}
}

// plain is a name as names has them.
func plain(name string) string {
	name = name[strings.LastIndexByte(name, '.')+1:]
	return strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(name))
}

// builtIn are expressions of tokens wherever they stand in a text, with what is quick to look for before.
type builtIn struct {
	query, header, jwt *regexp.Regexp
}

func newBuiltIn() *builtIn {
	const secret = `(?:[a-z]+[_-])?(?:token|jwt|ticket|api[_-]?key|access[_-]?key|secret|password|passwd|pwd|sig|signature|authorization|code)`
	return &builtIn{
		query:  regexp.MustCompile(`(?i)(?:^|[?&;,\s"'{(])` + secret + `=([^&;\s"'<>\\]+)`),
		header: regexp.MustCompile(`(?i)\b(?:bearer|basic) +([A-Za-z0-9._~+/=-]{6,})`),
		jwt:    regexp.MustCompile(`\b(eyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*)?)`),
	}
}

// apply masks the tokens in a text.
func (b *builtIn) apply(s string) (string, bool) {
	before := s
	if strings.IndexByte(s, '=') >= 0 {
		s = replaced(b.query, s, mask)
	}
	if strings.Contains(s, "earer ") || strings.Contains(s, "asic ") || strings.Contains(s, "EARER ") {
		s = replaced(b.header, s, mask)
	}
	if strings.Contains(s, "eyJ") {
		s = replaced(b.jwt, s, mask)
	}
	return s, s != before
}

const masked = "***"

func mask(string) string { return masked }

// replaced puts something in the place of what the expression finds in s; with groups, of what those hold.
func replaced(re *regexp.Regexp, s string, by func(string) string) string {
	found := re.FindAllStringSubmatchIndex(s, -1)
	if found == nil {
		return s
	}
	var b strings.Builder
	at := 0
	put := func(from, to int) {
		if from < at || from == to { // a group inside one that is gone already, or one that took nothing
			return
		}
		b.WriteString(s[at:from])
		b.WriteString(by(s[from:to]))
		at = to
	}
	for _, m := range found {
		if len(m) == 2 {
			put(m[0], m[1])
			continue
		}
		for g := 2; g < len(m); g += 2 {
			if m[g] >= 0 {
				put(m[g], m[g+1])
			}
		}
	}
	b.WriteString(s[at:])
	return b.String()
}

// member finds members of JSON by name, their values in the first group.
func member(names string) *regexp.Regexp {
	return regexp.MustCompile(`(?i)"(?:` + names + `)"\s*:\s*("(?:[^"\\]|\\.)*"?|[^\s,}\]]+)`)
}

// defaultMembers finds what names names, however it is spelt.
func defaultMembers() *regexp.Regexp {
	all := names()
	for i, name := range all {
		all[i] = strings.Join(strings.Split(name, ""), "[_-]?")
	}
	return member(strings.Join(all, "|"))
}
