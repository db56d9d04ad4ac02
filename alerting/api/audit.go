package api

import (
	"fmt"
	"net/http"
	"time"

	"imwatch/alerting/desk"
)

// auditDefault is how far back the audit is shown where nothing is said.
const auditDefault = 7 * 24 * time.Hour

func (a *API) audit(w http.ResponseWriter, r *http.Request, _ desk.Who) error {
	if err := known(r.URL.Query(), "from", "to"); err != nil {
		return badRequest(err)
	}
	from, to := a.now().Add(-auditDefault), a.now().Add(time.Second)
	for _, b := range []struct {
		name string
		at   *time.Time
	}{{"from", &from}, {"to", &to}} {
		if !r.URL.Query().Has(b.name) {
			continue
		}
		text := r.URL.Query().Get(b.name)
		t, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return badRequest(fmt.Errorf("%s: found %q, expected a time such as 2026-11-21T10:00:00Z", b.name, text))
		}
		*b.at = t
	}
	list, err := a.desk.Audit(r.Context(), from, to)
	if err != nil {
		return err //nolint:wrapcheck // answer knows its kinds
	}
	if list == nil {
		list = []desk.Entry{}
	}
	a.write(w, http.StatusOK, map[string]any{"entries": list})
	return nil
}
