"""What cases of several families have in common: shapes of images, and a field that all layers with weights have."""

IMAGE, OTHER_IMAGE = (2, 3, 7, 5), (4, 1, 6, 8)

FILLERS = 'weight_filler { type: "xavier" } bias_filler { value: 2 }'
