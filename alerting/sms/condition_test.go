package sms

import "testing"

func TestCondition(t *testing.T) {
	const answer = `{"code":"OK","n":0,"ok":true,"data":{"list":[{"status":"sent"}]},"null":null}`
	for text, want := range map[string]bool{
		`code == "OK"`:                 true,
		`code == OK`:                   true,
		`code != "OK"`:                 false,
		`n == 0`:                       true,
		`n==1`:                         false,
		`ok == true && n == 0`:         true,
		`ok == true && n == 1`:         false,
		`n == 1 || code == "OK"`:       true,
		`n == 1 || code == "no"`:       false,
		`data.list.0.status == "sent"`: true,
		`data.list.1.status == "sent"`: false,
		`data.list == "x"`:             false,
		`missing == "x"`:               false,
		`missing != "x"`:               true,
	} {
		c, err := parseCondition(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := c.holds([]byte(answer)); got != want {
			t.Errorf("%s: %v", text, got)
		}
		if c.holds([]byte("not JSON")) {
			t.Errorf("%s holds of what is not JSON", text)
		}
	}
}

func FuzzCondition(f *testing.F) {
	f.Add(`code == "OK" && n != 0`, `{"code":"OK"}`)
	f.Add(`a.0.b == true || x==1`, `[1]`)
	f.Fuzz(func(_ *testing.T, text, answer string) {
		if c, err := parseCondition(text); err == nil && c != nil {
			c.holds([]byte(answer))
		}
	})
}
