package api

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"imwatch/alerting/desk"
	"imwatch/alerting/silence"
)

// wanted is a silence as a caller asks for it: until when, or for how long. Times are RFC 3339, or by the clocks of zone.
type wanted struct {
	Match  []string         `json:"match"`
	All    bool             `json:"all"`
	Author string           `json:"author"`
	Reason string           `json:"reason"`
	Kind   string           `json:"kind"`
	Zone   string           `json:"zone"`
	From   string           `json:"from"`
	Until  string           `json:"until"`
	For    string           `json:"for"`
	Weekly []silence.Weekly `json:"weekly"`
}

// silence makes the silence that is asked for; begins is when it does where nothing is said.
func (v *wanted) silence(begins, now time.Time) (silence.Silence, error) {
	s := silence.Silence{
		Match: v.Match, All: v.All, Author: v.Author, Reason: v.Reason, Kind: v.Kind, Zone: v.Zone, From: begins, Weekly: v.Weekly,
	}
	var errs []error
	moment := func(key, text string, into *time.Time) {
		if text == "" {
			return
		}
		t, err := silence.ParseTime(text, v.Zone)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", key, err))
		}
		*into = t.UTC()
	}
	moment("from", v.From, &s.From)
	moment("until", v.Until, &s.Until)
	if v.For != "" {
		d, err := time.ParseDuration(v.For)
		if err != nil || v.Until != "" {
			errs = append(errs, fmt.Errorf("for: found %q, expected a duration such as 1h30m, and no until beside it", v.For))
		}
		from := s.From
		if from.Before(now) {
			from = now
		}
		s.Until = from.Add(d).UTC()
	}
	return s, errors.Join(errs...)
}

func (a *API) addSilence(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	var said wanted
	if err := read(r, &said); err != nil {
		return err
	}
	now := a.now().UTC()
	s, err := said.silence(now, now)
	if err != nil {
		return badRequest(err)
	}
	made, err := a.desk.AddSilence(r.Context(), who, s)
	if err != nil {
		return faulty(err)
	}
	w.Header().Set("Location", "/api/v1/silences/"+made.ID)
	a.write(w, http.StatusCreated, a.shown(made))
	return nil
}

// editSilence puts another silence in the place of one: what is left out is gone, but the author and the beginning.
func (a *API) editSilence(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	var said wanted
	if err := read(r, &said); err != nil {
		return err
	}
	s, err := a.desk.EditSilence(r.Context(), who, r.PathValue("id"), func(s *silence.Silence) error {
		other, err := said.silence(s.From, a.now().UTC())
		if other.Author == "" {
			other.Author = s.Author
		}
		*s = other
		return err
	})
	if err != nil {
		return faulty(err)
	}
	a.write(w, http.StatusOK, a.shown(s))
	return nil
}

// extension is how a caller moves a silence's end.
type extension struct {
	For   string `json:"for"`   // by so much; with a minus, earlier
	Until string `json:"until"` // or to this moment
}

func (a *API) extendSilence(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	var said extension
	if err := read(r, &said); err != nil {
		return err
	}
	var by time.Duration
	var to time.Time
	var err error
	switch {
	case (said.For == "") == (said.Until == ""):
		err = errors.New("expected for or until, one of them")
	case said.For != "":
		if by, err = time.ParseDuration(said.For); err != nil || by == 0 {
			err = fmt.Errorf("for: found %q, expected a duration such as 1h30m, or -30m", said.For)
		}
	default:
		if to, err = silence.ParseTime(said.Until, ""); err != nil {
			err = fmt.Errorf("until: %w", err)
		}
	}
	if err != nil {
		return badRequest(err)
	}
	s, err := a.desk.Extend(r.Context(), who, r.PathValue("id"), by, to)
	if err != nil {
		return faulty(err)
	}
	a.write(w, http.StatusOK, a.shown(s))
	return nil
}
