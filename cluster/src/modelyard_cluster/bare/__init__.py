"""The bare cluster: kubeadm, containerd and kubelet on Debian or Ubuntu with root and nothing else."""
