package oidc

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// audience is a text or a list of them.
type audience []string

// UnmarshalJSON reads either.
func (a *audience) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*a = audience{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(a))
}

// seconds is a NumericDate: seconds since 1970, with a fraction or without.
type seconds float64

// UnmarshalJSON reads a number that is a time.
func (s *seconds) UnmarshalJSON(b []byte) error {
	var f float64
	if err := json.Unmarshal(b, &f); err != nil {
		return fmt.Errorf("reading a time: %w", err)
	}
	if math.Abs(f) > 253402300799 { // the end of the year 9999
		return errors.New("reading a time: it is out of reach")
	}
	*s = seconds(f)
	return nil
}

// Time gives the moment.
func (s seconds) Time() time.Time {
	whole, part := math.Modf(float64(s))
	return time.Unix(int64(whole), int64(part*1e9)).UTC()
}

// maxName bounds a name for the audit, in bytes.
const maxName = 200

// person reads name and role out of the claims of a token that counts.
func (v *Verifier) person(c *claims, payload []byte) (Person, error) {
	var all map[string]any
	if err := json.Unmarshal(payload, &all); err != nil {
		return Person{}, &RefusedError{Malformed, "the token's claims cannot be read"}
	}
	name, _ := find(all, v.cfg.NameClaim).(string)
	if name = clean(name); name == "" {
		name = clean(c.Subject)
	}
	if name == "" {
		return Person{}, &RefusedError{Malformed, "the token has neither " + v.cfg.NameClaim + " nor sub: nobody could be named in the audit"}
	}
	return Person{Name: name, Role: v.role(groups(find(all, v.cfg.RolesClaim))), Expires: c.Expires.Time()}, nil
}

// role gives the highest role that one of the groups has.
func (v *Verifier) role(groups []string) string {
	for _, role := range slices.Backward(v.ranked) {
		for _, g := range v.cfg.Roles[role] {
			if g == "*" || slices.Contains(groups, g) {
				return role
			}
		}
	}
	return ""
}

// find gives a claim by its name, or else by a path of names with dots between them.
func find(all map[string]any, name string) any {
	if v, ok := all[name]; ok {
		return v
	}
	first, rest, ok := strings.Cut(name, ".")
	inner, isObject := all[first].(map[string]any)
	if !ok || !isObject {
		return nil
	}
	return find(inner, rest)
}

// groups reads a claim that is a text or a list of texts.
func groups(claim any) []string {
	switch v := claim.(type) {
	case string:
		return []string{v}
	case []any:
		var list []string
		for _, x := range v {
			if s, ok := x.(string); ok {
				list = append(list, s)
			}
		}
		return list
	}
	return nil
}

// clean makes a name one line of bounded length.
func clean(s string) string {
	s = strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, strings.ToValidUTF8(s, "")))
	for len(s) > maxName {
		_, size := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-size]
	}
	return s
}
