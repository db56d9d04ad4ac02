package imserver

import (
	"fmt"
	"io/fs"
	"time"

	"imwatch/im-server/source"
)

// Reload is where a changed configuration comes from.
type Reload struct {
	Path string                 // the file that is watched; "": none
	Load func() (Config, error) // reads the configuration anew: file, environment, secrets
}

// watchConfigEvery is how often the configuration file is looked at.
const watchConfigEvery = 5 * time.Second

// changedBy says who changed a file, as far as the system knows.
func changedBy(path string, info fs.FileInfo) string {
	by := fmt.Sprintf("file %s of %s", path, info.ModTime().UTC().Format(time.RFC3339))
	if owner := fileOwner(info); owner != "" {
		by += ", owner " + owner
	}
	return by
}

// rememberConfig notes the version of the file that the server starts with.
func (s *Server) rememberConfig() {
	if r := s.deps.Reload; r != nil && r.Path != "" {
		if now, _, _, err := source.Look(r.Path, source.Stamp{}); err == nil { // else it counts as changed later
			s.reloading.stamp = now
		}
	}
}

// watchConfig takes up a changed file. It is called now and then.
func (s *Server) watchConfig() {
	r := s.deps.Reload
	if r == nil || r.Path == "" {
		return
	}
	s.reloading.mu.Lock()
	defer s.reloading.mu.Unlock()
	now, body, info, err := source.Look(r.Path, s.reloading.stamp)
	if err != nil {
		return // a file that is away is being replaced, or was never there
	}
	if s.reloading.stamp = now; body != nil {
		s.loadConfig(changedBy(r.Path, info))
	}
}

// reloadConfig reads the configuration anew although nothing may have changed: what it refers to may have.
func (s *Server) reloadConfig() {
	r := s.deps.Reload
	if r == nil {
		return
	}
	s.reloading.mu.Lock()
	defer s.reloading.mu.Unlock()
	by := "signal SIGHUP"
	if r.Path != "" {
		if now, _, info, err := source.Look(r.Path, source.Stamp{}); err == nil {
			s.reloading.stamp, by = now, changedBy(r.Path, info)
		}
	}
	s.loadConfig(by)
}

// loadConfig reads and takes the configuration. The lock of changes is held.
func (s *Server) loadConfig(by string) {
	wanted, err := s.deps.Reload.Load()
	if err != nil {
		s.reloading.tries.WithLabelValues("refused").Inc()
		s.refuseConfig(by, err)
		return
	}
	changes, err := s.reconfigure(&wanted, by)
	if err != nil {
		s.refuseConfig(by, err)
		return
	}
	s.reloading.bad.Set(0)
	s.deps.Log.WithField("source", by).WithField("keys", len(changes)).Info("the configuration was read again")
}
