package aliyun

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
	AccessKeyID     string            `yaml:"access_key_id" doc:"the access key's id"`
	AccessKeySecret string            `yaml:"access_key_secret" doc:"the access key's secret" secret:"true"`
	Numbers         []string          `yaml:"numbers" doc:"numbers that are told, each by a call of its own"`
	SignName        string            `yaml:"sign_name" doc:"approved signature (SMS)"`
	Template        string            `yaml:"template" doc:"code of the approved template, SMS_… or TTS_…"`
	Params          map[string]string `yaml:"params" doc:"the template's parameters, each a text with {{.Title}}, {{.Text}}, {{.State}}, {{.Severity}}, {{.Rule}}, {{.Key}}, {{.Value}}, {{.Since}}, {{.Ended}}, {{.Lasted}} or {{.ID}}"`
	MaxRunes        int               `yaml:"max_runes" doc:"longest parameter in characters, by the kind of the template; a longer one is cut and the rest counted"`
	ShowNumber      string            `yaml:"show_number" doc:"number that is shown to who is called (voice); none: one of Aliyun's"`
	PlayTimes       int               `yaml:"play_times" doc:"how often the text is spoken, 1 to 3 (voice)"`
	URL             string            `yaml:"url" doc:"address of the service; none: https://dysmsapi.aliyuncs.com for SMS, https://dyvmsapi.aliyuncs.com for voice"`
	channel.Limits  `yaml:",inline"`
	egress.Network  `yaml:",inline"`
}

// DefaultConfig gives the defaults; the access key, Numbers and Template must be set.
func DefaultConfig() Config {
	return Config{MaxRunes: 35, PlayTimes: 2, Limits: channel.Limits{PerDay: 50, Reserve: 10}}
}

// SetDefaults makes c the default.
func (c *Config) SetDefaults() { *c = DefaultConfig() }

func (c *Config) address(k Kind) string {
	if k == Voice {
		return cmp.Or(c.URL, "https://dyvmsapi.aliyuncs.com")
	}
	return cmp.Or(c.URL, "https://dysmsapi.aliyuncs.com")
}

// Validate gives all faults, each with its key below path. No fault holds a secret.
func (c *Config) Validate(path string, k Kind) error {
	var errs []error
	fault := func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s.%s: %s", path, key, fmt.Sprintf(format, args...)))
	}
	if c.AccessKeyID == "" {
		fault("access_key_id", "an access key is needed")
	}
	if c.AccessKeySecret == "" {
		fault("access_key_secret", "an access key is needed")
	}
	if c.Template == "" {
		fault("template", "the code of an approved template is needed")
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
	for name, text := range c.Params {
		if _, err := fill.Parse(text); err != nil {
			fault("params."+name, "%v", err)
		}
	}
	return errors.Join(append(errs, channel.CheckNumbers(path, c.Numbers), c.Limits.Validate(path), c.Network.Validate(path))...)
}
