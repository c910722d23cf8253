{{/* Values that contradict each other: one sentence for each, that says what to do. */}}
{{- define "modelyard.validate" -}}
{{- $v := .Values -}}
{{- include "modelyard.validateImages" . -}}
{{- if $v.store.enabled -}}
{{- include "modelyard.validateOwnStore" . -}}
{{- else -}}
{{- include "modelyard.validateOtherStore" . -}}
{{- end -}}
{{- if and (ne $v.objectStore.tenancy "Shared") $v.objectStore.bucket -}}
{{- fail "objectStore.bucket names one bucket for all namespaces, but objectStore.tenancy is Namespace: leave the bucket out, or set the tenancy to Shared." -}}
{{- end -}}
{{- if and $v.operator.watchNamespaces (ne $v.objectStore.reclaimPolicy "Retain") -}}
{{- fail "objectStore.reclaimPolicy needs an operator that sees all namespaces: with operator.watchNamespaces it cannot see that one is gone. Set the policy to Retain, or leave the list empty." -}}
{{- end -}}
{{- if and (not $v.serviceAccount.create) (not $v.serviceAccount.name) -}}
{{- fail "serviceAccount.create is false: name the ServiceAccount to use in serviceAccount.name." -}}
{{- end -}}
{{- if lt (len .Release.Namespace) 1 -}}
{{- fail "Name the namespace to install into: --namespace modelyard-system." -}}
{{- end -}}
{{- end }}

{{/* Nobody publishes these images: without a registry, nodes would pull what somebody else calls so on Docker Hub. */}}
{{- define "modelyard.validateImages" -}}
{{- $v := .Values -}}
{{- range $part := list "operator" "runtime" "store" -}}
{{- if not (or $v.image.registry (index $v $part "image" "registry") (and (eq $part "store") (not $v.store.enabled))) -}}
{{- fail (printf "The image of the %s has no registry: build and push the images with `make images`, and give --values build/values-images.yaml, which `make manifest` writes; or set image.registry (docs/operations.md)." $part) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* The chart's store. */}}
{{- define "modelyard.validateOwnStore" -}}
{{- $v := .Values -}}
{{- if $v.objectStore.endpoint -}}
{{- fail "objectStore.endpoint names your own object store, but store.enabled is true: set store.enabled=false to use yours, or leave the endpoint empty to use the chart's." -}}
{{- end -}}
{{- if eq $v.objectStore.tenancy "Shared" -}}
{{- fail "objectStore.tenancy is Shared, but the chart's store gives each namespace a bucket and keys of its own: leave it at Namespace, or set store.enabled=false and objectStore.endpoint to use your own store." -}}
{{- end -}}
{{- if and $v.store.persistence.existingClaim (not $v.store.persistence.enabled) -}}
{{- fail "store.persistence.existingClaim names a volume, but store.persistence.enabled is false: enable persistence, or leave the claim out." -}}
{{- end -}}
{{- if and $v.store.service.nodePort (ne $v.store.service.type "NodePort") -}}
{{- fail (printf "store.service.nodePort is set, but store.service.type is %s: set the type to NodePort, or leave the port out." $v.store.service.type) -}}
{{- end -}}
{{- end }}

{{/* A store of the platform engineer's. */}}
{{- define "modelyard.validateOtherStore" -}}
{{- $v := .Values -}}
{{- if not $v.objectStore.endpoint -}}
{{- fail "store.enabled is false and there is no other object store: set objectStore.endpoint to the URL of yours, or store.enabled=true." -}}
{{- end -}}
{{- if eq $v.objectStore.tenancy "Shared" -}}
{{- if not $v.objectStore.bucket -}}
{{- fail "objectStore.tenancy is Shared: set objectStore.bucket to the bucket that all namespaces share." -}}
{{- end -}}
{{- if not $v.objectStore.existingSecret -}}
{{- fail "objectStore.tenancy is Shared: make a Secret with the keys AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the release's namespace, and name it in objectStore.existingSecret." -}}
{{- end -}}
{{- else if $v.objectStore.existingSecret -}}
{{- fail "objectStore.existingSecret has no use with a store of your own and tenancy Namespace: make the Secret modelyard-store in each namespace and leave this one out, or set objectStore.tenancy to Shared." -}}
{{- end -}}
{{- if ne $v.objectStore.reclaimPolicy "Retain" -}}
{{- fail (printf "objectStore.reclaimPolicy is %s, but the buckets of your own store are yours to remove: leave it at Retain, or use the chart's store." $v.objectStore.reclaimPolicy) -}}
{{- end -}}
{{- if $v.store.tls.secretName -}}
{{- fail "store.tls.secretName is the certificate of the chart's store, but store.enabled is false: leave it out; a CA of your own store goes into its Secrets, as ca.crt." -}}
{{- end -}}
{{- end }}
