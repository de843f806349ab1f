"""The level of each published kernel: the hardest feature that can be reached from it.

1: copies, elementwise operators, reductions and matrix products of slices in static loops. 2: helper functions, program ids,
access patterns, any other instruction. 3: classes, enumerations, views of the kernel's own, addresses. 4: two logical cores
that meet, indirect DMA. 5: MX and double-row FP8. 6: loops and branches at run time, collectives.
"""

LEVELS = {
    **dict.fromkeys("""
        _clamp_tensor nki_matmul_basic_ nki_matmul_block_free_dimension_ nki_matmul_fully_optimized_
        nki_matmul_hoist_load_ nki_matmul_tiled_ nki_tensor_add tensor_split_kernel_ tensor_transpose2D_kernel_
    """.split(), 1),
    **dict.fromkeys("""
        add_kernel cross_entropy_backward depthwise_conv1d_implicit_gemm find_nonzero_indices_with_count
        folded_load_oversized_sb_kernel folded_load_store_dst_kernel folded_load_store_kernel
        kernel_cross_partition_copy mamba_v1 mamba_v2 mamba_v3 nki_tensor_add_kernel rope_hf tensor_avgpool_kernel
        tensor_exp_kernel_ tensor_maxpool_kernel_
    """.split(), 2),
    **dict.fromkeys("""
        RoPE _find_expert_routed_tokens _load_expert attention_bwd cascaded_max conv1d cumsum gen_mask_tkg_hbm
        gen_mask_tkg_wrapper kernel_dynamic_ops kernel_test_chained_ops_on_tensorview_input
        kernel_test_reinterpret_cast kernel_test_reinterpret_cast_bf16_fp16
        kernel_test_reinterpret_cast_cross_size_indirect kernel_test_reinterpret_cast_mxfp4
        kernel_test_reinterpret_cast_mxfp8 kernel_test_tensorview_from_tensorview kernel_test_view_ops
        load_broadcast_down_weight_scale_bias load_gate_up_weight_scale_bias rmsnorm_quant_kernel rotational_topk
        tp_broadcast_hbm
    """.split(), 3),
    **dict.fromkeys("""
        _get_block_token_position_to_id _init_dynamic_block_indices_hbm _load_block_expert_affinities attention_cte
        attn_tkg_wrapper blockwise_mm_baseline_shard_hidden blockwise_mm_baseline_shard_intermediate blockwise_mm_bwd
        blockwise_mm_shard_intermediate_dropping bwmm_shard_on_block cross_entropy_forward find_nonzero_indices
        indexed_flatten layernorm_tkg rmsnorm_tkg router_topk_kernel_wrapper topk_reduce
    """.split(), 4),
    **dict.fromkeys("""
        _all_expert_mx_static _compute_block _compute_expert_mlp _layout_adapter_qmx_hbm _matmul_mx_accumulate
        blockwise_mm_shard_intermediate_mx down_proj_mxfp4_wrapper down_projection_mx gate_up_proj_mxfp4_wrapper
        gate_up_projection_mx_shard_I kernel_copy_strided_quantize_matmul_mx
        kernel_copy_strided_quantize_matmul_mx_packed_scale kernel_offline_quantized_mx_matmul
        kernel_on_device_quantize_matmul_mx mlp mxfp_load_performance_wrapper output_projection_cte
        output_projection_tkg qkv qkv_tkg_sb2sb_wrapper_kernel quantize_mx_kernel rmsnorm_mx_quantize_tkg_wrapper
    """.split(), 5),
    **dict.fromkeys("""
        _all_expert_moe_tkg_mx _all_expert_mx_dynamic all_gather_hbm_kernel all_reduce_hbm_kernel
        all_to_all_hbm_kernel allgather_compute_matmul allgather_sb2sb allgather_sb2sb_tiled attention_block_tkg
        attention_block_tkg_kernel_test_wrapper attn_q_batch_shard blockwise_mm_baseline_shard_intermediate_hybrid
        blockwise_mm_shard_intermediate_mx_hybrid bwmm_shard_on_block_mx dma_copy_rank_id_kernel
        dynamic_elementwise_add fine_grained_allgather moe_block_tkg moe_cte moe_cte_kernel_wrapper moe_tkg
        moe_tkg_sbuf_io_wrapper mx_moe_block_tkg_wrapper rank_id_kernel reduce_scatter_hbm_kernel
        transformer_tkg_tp4_4layer_wrapper
    """.split(), 6),
}
