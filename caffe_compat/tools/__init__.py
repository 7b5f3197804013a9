"""What the tools beside Caffe's library do: score and time nets, features, means, databases, old forms, logs."""
