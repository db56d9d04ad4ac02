package elastic

import (
	"os"
	"strconv"
)

// rounds is how often rapid draws its hundred: IMWATCH_TEST_KQL_ROUNDS, or once.
func rounds() int {
	n, err := strconv.Atoi(os.Getenv("IMWATCH_TEST_KQL_ROUNDS"))
	if err != nil || n < 1 {
		return 1
	}
	return n
}
