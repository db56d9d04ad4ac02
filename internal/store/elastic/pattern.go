package elastic

import (
	"slices"
	"strings"

	"imwatch/internal/store"
)

// targets cuts a pattern into what stands in a request's path. Parts that no index name can match are left out:
// to Elasticsearch "", "_all" and "-x" would mean something else.
func targets(pattern string) []string {
	parts := strings.Split(pattern, ",")
	return slices.DeleteFunc(parts, func(p string) bool {
		return p == "" || strings.Trim(p, "*") != "" && store.CheckIndex("0"+strings.ReplaceAll(p, "*", "")) != nil || strings.IndexByte("-_.+", p[0]) >= 0
	})
}
