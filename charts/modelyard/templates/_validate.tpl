{{/* Values that contradict each other: one sentence for each, that says what to do. */}}
{{- define "modelyard.validate" -}}
{{- $v := .Values -}}
{{- if and $v.minio.enabled $v.objectStore.endpoint -}}
{{- fail "objectStore.endpoint names your own object store, but minio.enabled is true: set minio.enabled=false to use yours, or leave the endpoint empty to use the chart's MinIO." -}}
{{- end -}}
{{- if not $v.minio.enabled -}}
{{- if not $v.objectStore.endpoint -}}
{{- fail "minio.enabled is false and there is no other object store: set objectStore.endpoint to the URL of yours, or minio.enabled=true." -}}
{{- end -}}
{{- if not $v.objectStore.existingSecret -}}
{{- fail "objectStore.endpoint needs objectStore.existingSecret: make a Secret with the keys AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the release's namespace, and name it." -}}
{{- end -}}
{{- end -}}
{{- if and $v.minio.persistence.existingClaim (not $v.minio.persistence.enabled) -}}
{{- fail "minio.persistence.existingClaim names a volume, but minio.persistence.enabled is false: enable persistence, or leave the claim out." -}}
{{- end -}}
{{- if and $v.minio.service.nodePort (ne $v.minio.service.type "NodePort") -}}
{{- fail (printf "minio.service.nodePort is set, but minio.service.type is %s: set the type to NodePort, or leave the port out." $v.minio.service.type) -}}
{{- end -}}
{{- if and (not $v.serviceAccount.create) (not $v.serviceAccount.name) -}}
{{- fail "serviceAccount.create is false: name the ServiceAccount to use in serviceAccount.name." -}}
{{- end -}}
{{- if lt (len .Release.Namespace) 1 -}}
{{- fail "Name the namespace to install into: --namespace modelyard-system." -}}
{{- end -}}
{{- end }}
