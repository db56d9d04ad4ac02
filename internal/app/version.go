package app

import "runtime/debug"

// version is set by the linker for a release: -X imwatch/internal/app.version=1.2.3.
var version = ""

// Version gives the release, or the commit of a build from source.
func Version() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return "0.0.0-dev+" + s.Value[:12]
		}
	}
	return "0.0.0-dev"
}
