// The program that holds a pod's namespaces open.
module modelyard.dev/tools/pause

go 1.24.0
