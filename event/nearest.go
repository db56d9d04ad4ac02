package event

// NearestField gives the known name that is closest to an unknown one, for error messages; "" when none is near.
func NearestField(name string) string {
	known := make([]string, len(table))
	for i := range table {
		known[i] = table[i].Name
	}
	return Nearest(name, known)
}

// Nearest gives the first of the known names that takes the fewest letters to get to, for error messages; "" when
// that is more than half of the name.
func Nearest(name string, known []string) string {
	best, least := "", len(name)/2+1
	for _, k := range known {
		if d := distance(name, k); d < least {
			best, least = k, d
		}
	}
	return best
}

// distance counts the bytes to add, remove or change to get from a to b (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, change)
		}
	}
	return row[len(b)]
}
