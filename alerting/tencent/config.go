package tencent

import (
	"cmp"
	"errors"
	"fmt"

	"imwatch/alerting/channel"
	"imwatch/alerting/egress"
	"imwatch/alerting/fill"
)

// Config says which account sends and who is told. SMS and voice have the same keys. Begin with DefaultConfig.
type Config struct {
	SecretID       string   `yaml:"secret_id" doc:"the key's id"`
	SecretKey      string   `yaml:"secret_key" doc:"the key" secret:"true"`
	AppID          string   `yaml:"app_id" doc:"SdkAppId of the SMS or voice application"`
	Numbers        []string `yaml:"numbers" doc:"numbers that are told, each by a call of its own, with country: +8613800000000"`
	SignName       string   `yaml:"sign_name" doc:"approved signature (SMS)"`
	Template       string   `yaml:"template" doc:"id of the approved template"`
	Params         []string `yaml:"params" doc:"the template's parameters in order, each a text with {{.Title}}, {{.Text}}, {{.State}}, {{.Severity}}, {{.Rule}}, {{.Key}}, {{.Value}}, {{.Since}}, {{.Ended}}, {{.Lasted}} or {{.ID}}"`
	MaxRunes       int      `yaml:"max_runes" doc:"longest parameter in characters, by the kind of the template; a longer one is cut and the rest counted"`
	PlayTimes      int      `yaml:"play_times" doc:"how often the text is spoken, 1 to 3 (voice)"`
	Region         string   `yaml:"region" doc:"region of the interface"`
	URL            string   `yaml:"url" doc:"address of the service; none: https://sms.tencentcloudapi.com for SMS, https://vms.tencentcloudapi.com for voice"`
	channel.Limits `yaml:",inline"`
	egress.Network `yaml:",inline"`
}

// DefaultConfig gives the defaults; the key, AppID, Numbers and Template must be set.
func DefaultConfig() Config {
	return Config{MaxRunes: 12, PlayTimes: 2, Limits: channel.Limits{PerDay: 10, Reserve: 3}, Region: "ap-guangzhou"}
}

// SetDefaults makes c the default.
func (c *Config) SetDefaults() { *c = DefaultConfig() }

func (c *Config) address(k Kind) string {
	if k == Voice {
		return cmp.Or(c.URL, "https://vms.tencentcloudapi.com")
	}
	return cmp.Or(c.URL, "https://sms.tencentcloudapi.com")
}

// Validate gives all faults, each with its key below path. No fault holds a secret.
func (c *Config) Validate(path string, k Kind) error {
	var errs []error
	fault := func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s.%s: %s", path, key, fmt.Sprintf(format, args...)))
	}
	for _, need := range []struct{ key, value, what string }{
		{"secret_id", c.SecretID, "a key"},
		{"secret_key", c.SecretKey, "a key"},
		{"app_id", c.AppID, "the application's SdkAppId"},
		{"template", c.Template, "the id of an approved template"},
		{"region", c.Region, "a region, such as ap-guangzhou,"},
	} {
		if need.value == "" {
			fault(need.key, "%s is needed", need.what)
		}
	}
	if k == SMS && c.SignName == "" {
		fault("sign_name", "an approved signature is needed")
	}
	if c.PlayTimes < 1 || c.PlayTimes > 3 {
		fault("play_times", "found %d, expected 1 to 3", c.PlayTimes)
	}
	if c.MaxRunes < 6 {
		fault("max_runes", "found %d, expected at least 6", c.MaxRunes)
	}
	if err := egress.CheckURL(c.address(k)); err != nil {
		fault("url", "%v", err)
	}
	for i, text := range c.Params {
		if _, err := fill.Parse(text); err != nil {
			fault(fmt.Sprintf("params[%d]", i), "%v", err)
		}
	}
	return errors.Join(append(errs, channel.CheckNumbers(path, c.Numbers), c.Limits.Validate(path), c.Network.Validate(path))...)
}
