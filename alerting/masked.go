package alerting

import "reflect"

// masked gives the receiver with placeholders for its secrets, for showing what it would be sent: those of the kind's
// example, as a secret can be needed for a request to be made at all. What only a connection needs is left out.
func (r Receiver) masked() (Receiver, error) {
	k := r.kind()
	if k == nil {
		return r, r.validate("receiver " + r.Name)
	}
	var pattern Receiver
	if err := example(&pattern, k.name, ""); err != nil {
		return r, err
	}
	v, p := reflect.ValueOf(&r).Elem(), reflect.ValueOf(&pattern).Elem()
	for i := range v.NumField() {
		if v.Field(i).Kind() != reflect.Pointer || v.Field(i).IsNil() {
			continue
		}
		own := reflect.New(v.Field(i).Type().Elem())
		own.Elem().Set(v.Field(i).Elem())
		mask(own.Elem(), p.Field(i).Elem())
		v.Field(i).Set(own)
	}
	if r.Email != nil && r.Email.Username != "" {
		r.Email.Password = secretMark
	}
	return r, r.validate("receiver " + r.Name)
}

const secretMark = "SECRET"

// mask puts those of pattern, a value of the same type, in the place of the secrets of v.
func mask(v, pattern reflect.Value) {
	for i := range v.NumField() {
		f, tag := v.Field(i), v.Type().Field(i).Tag
		switch {
		case f.Kind() == reflect.Struct:
			mask(f, pattern.Field(i))
		case tag.Get("yaml") == "proxy" || tag.Get("yaml") == "ca_file":
			f.SetString("")
		case tag.Get("secret") != "true":
		case pattern.Field(i).String() != "":
			f.SetString(pattern.Field(i).String())
		case f.String() != "":
			f.SetString(secretMark)
		}
	}
}
